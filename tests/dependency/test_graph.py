"""Graphs: what is found, what stays and why, and graphs as values."""

import copy
import json

import pytest
import torch
from torch import Tensor, nn

from stages.channels.removal import remove_channels
from stages.dependency.build import build_graph
from stages.dependency.frozen import frozen_lines
from stages.dependency.graph import POSITIONS, Frozen, Graph
from stages.dependency.graph_file import graph_from_json, graph_to_json
from stages.dependency.rules.registry import RULES, rule_for
from tests.conftest import Refused
from tests.dependency.cases import CASES, PRUNABLE, network_of, prepared, some_units
from tests.dependency.networks_under_test import between, conv, lively
from tests.dependency.ownership import check_ownership

STAYING = [name for name, case in CASES.items() if case.reason]
SHAPE = (2, 2, 8, 8)


def described(graph: Graph) -> list[object]:
    """All that a graph says of its groups, to compare."""
    return [
        (group.name, [(s.tensor, s.axis, s.role, s.indices.tolist()) for s in group.slices])
        for group in graph.groups
    ]


@pytest.mark.parametrize("name", CASES)
def test_groups_are_those_expected(name: str) -> None:
    names = [group.name for group in prepared(name)[1].groups]
    assert names == list(CASES[name].groups)


@pytest.mark.parametrize("name", STAYING)
def test_what_stays_says_why(name: str) -> None:
    frozen = prepared(name)[1].frozen
    reasons = [f.reason for f in frozen if (f.tensor, f.axis) == ("head.weight", 0)]
    if CASES[name].groups == ("head",):  # there something else stays
        reasons = [f.reason for f in frozen]
    assert any(reason.startswith(CASES[name].reason) for reason in reasons), reasons


def test_what_reads_nothing_known_says_so() -> None:
    reasons = {(f.tensor, f.axis): f.reason for f in prepared("cumulative product")[1].frozen}
    assert reasons["tail.weight", 1] == "it reads values that no parameter made"
    assert reasons["tail.weight", 0] == "it reaches the network's output"
    assert reasons["head.weight", 1] == "it reaches the network's input"


@pytest.mark.parametrize("name", CASES)
def test_every_index_is_owned_once_or_frozen_with_a_reason(name: str) -> None:
    check_ownership(*prepared(name))


@pytest.mark.parametrize("name", CASES)
def test_graph_is_the_same_after_a_round_trip_and_in_every_build(name: str) -> None:
    network, graph = prepared(name)
    written = json.dumps(graph_to_json(graph), sort_keys=True)
    read = graph_from_json(json.loads(written))
    assert described(read) == described(graph)
    assert read.frozen == graph.frozen
    again = build_graph(copy.deepcopy(network), CASES[name].shape)
    assert json.dumps(graph_to_json(again), sort_keys=True) == written


@pytest.mark.parametrize("name", PRUNABLE)
def test_what_is_left_of_a_graph_is_the_graph_of_what_is_left(name: str) -> None:
    network, graph = network_of(name), prepared(name)[1]
    removed = some_units(graph, 0.3, keep=2)
    remove_channels(network, graph, removed)
    assert described(graph.without(removed)) == described(build_graph(network, CASES[name].shape))


class Watched(nn.Module):
    """Gives what it found on the way, too."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.norm = conv(2, 8), nn.BatchNorm2d(8)
        self.body, self.tail = conv(8, 8), conv(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = self.body(torch.relu(self.norm(self.head(x))))
        return found, self.tail(found)


def test_every_output_of_several_keeps_its_shape() -> None:
    graph = build_graph(lively(Watched()), SHAPE)
    assert [group.name for group in graph.groups] == ["head"]
    found = [f.reason for f in graph.frozen if (f.tensor, f.axis) == ("body.weight", 0)]
    assert found == ["it reaches the network's output"]


def test_building_a_graph_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(conv(2, 8), nn.BatchNorm2d(8), conv(8, 3)).train()
    network[1].eval()  # statistics that a user holds still
    before = copy.deepcopy(network)
    build_graph(network, SHAPE)
    assert [m.training for m in network.modules()] == [m.training for m in before.modules()]
    wanted = before.state_dict()
    assert all(torch.equal(t, wanted[n]) for n, t in network.state_dict().items())


def test_a_form_of_an_operator_that_its_rule_does_not_know_is_no_fault_of_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raising(*_: object) -> list[object]:
        raise IndexError("tuple index out of range")

    monkeypatch.setitem(RULES, "tanh", raising)
    rule_for.cache_clear()
    try:
        graph = build_graph(lively(between(torch.tanh)), SHAPE)
    finally:
        rule_for.cache_clear()
    reasons = {f.reason for f in graph.frozen if f.tensor == "head.bias"}
    assert reasons == {"operator tanh has no rule for how it is called"}


def swapped(x: Tensor) -> Tensor:
    return torch.cat([x[:, 4:], x[:, :4]], 1)


def test_trials_are_not_blind_where_weights_are_silent() -> None:
    """Branches often start at zero, or almost: what goes wrong there shows only once they learn."""
    network = lively(between(swapped))
    for silent in (0.0, 1e-9):
        nn.init.constant_(network.tail.weight, silent)
        assert build_graph(network, SHAPE).groups == ()


def test_what_stays_is_printed_a_line_a_reason_positions_last() -> None:
    broken = [f"a view of {n} breaks" for n in range(5)]
    kernels = [Frozen("first.weight", axis, 3, POSITIONS) for axis in (2, 3)]
    blocks = [Frozen(f"blocks.{n}.weight", 0, 8, reason) for n, reason in enumerate(broken)]
    graph = Graph((), (*kernels, *blocks, Frozen("last.weight", 0, 3, "it is an output")))
    assert frozen_lines(graph) == [
        "frozen: a view of 0 breaks: blocks.0.weight axis 0 (8), blocks.1.weight axis 0 (8), "
        "blocks.2.weight axis 0 (8) and 2 more",
        "frozen: it is an output: last.weight axis 0 (3)",
        f"frozen: {POSITIONS}: first.weight axis 2 (3), first.weight axis 3 (3)",
    ]


@pytest.mark.parametrize("damage", ["no slices", "text", "missing"])
def test_a_damaged_graph_is_told(damage: str, refused: Refused) -> None:
    content = graph_to_json(prepared("residual")[1])
    assert graph_from_json(content).groups
    group = content["groups"][0]
    if damage == "missing":
        del content["frozen"]
    elif damage == "text":
        group["slices"][0]["indices"] = "0:x"
    else:
        del group["slices"]
    with refused("damaged", "dvc repro -f graph"):
        graph_from_json(content)
