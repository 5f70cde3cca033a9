"""A network without units must be the network with those units silenced."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.channels.dependencies import build_graph
from stages.channels.graph import (
    Graph,
    Removed,
    combine,
    graph_from_json,
    graph_to_json,
    losses,
)
from stages.channels.removal import (
    count_after,
    mask_channels,
    parameter_shapes,
    relative_error,
    remove_channels,
)
from tests.channels.cases import CASES, network_of, prepared, some_units
from tests.channels.networks_under_test import conv, lively

EXACT, WRONG = 1e-5, 1e-3
PRUNABLE = [name for name, case in CASES.items() if case.groups]
STAYING = [name for name, case in CASES.items() if case.reason]


def output_without(name: str, removed: Removed, inputs: Tensor) -> Tensor:
    network = network_of(name)
    remove_channels(network, prepared(name)[1], removed)
    with torch.no_grad():
        return network(inputs)


def output_masked(name: str, removed: Removed, inputs: Tensor, only_made: bool = False) -> Tensor:
    network = network_of(name)
    mask_channels(network, prepared(name)[1], removed, only_made)
    with torch.no_grad():
        return network(inputs)


def random_input(name: str, seed: int) -> Tensor:
    return torch.randn(CASES[name].shape, generator=torch.Generator().manual_seed(seed))


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


@pytest.mark.parametrize("name", CASES)
def test_every_index_is_owned_once_or_frozen_with_a_reason(name: str) -> None:
    network, graph = prepared(name)
    tensors = network.state_dict()
    owned: dict[tuple[str, int], list[int]] = {}
    for group in graph.groups:
        for part in group.slices:
            owned.setdefault((part.tensor, part.axis), []).extend(part.indices.ravel().tolist())
    kept = dict.fromkeys(owned, 0)
    for frozen in graph.frozen:
        assert frozen.reason.strip()
        assert frozen.count > 0
        place = frozen.tensor, frozen.axis
        kept[place] = kept.get(place, 0) + frozen.count
    for (tensor, axis), count in kept.items():
        indices = owned.get((tensor, axis), [])
        assert len(set(indices)) == len(indices)
        assert len(indices) + count <= tensors[tensor].shape[axis]
        assert all(0 <= index < tensors[tensor].shape[axis] for index in indices)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("name", PRUNABLE)
def test_removing_equals_masking(name: str, share: float) -> None:
    removed = some_units(prepared(name)[1], share, seed=round(10 * share))
    for seed in (1, 2):
        inputs = random_input(name, seed)
        given = output_without(name, removed, inputs)
        wanted = output_masked(name, removed, inputs)
        assert given.shape == wanted.shape
        assert relative_error(given, wanted) < EXACT
        if CASES[name].keeps_zero:
            only_made = output_masked(name, removed, inputs, only_made=True)
            assert relative_error(given, only_made) < EXACT


@pytest.mark.parametrize("name", PRUNABLE)
def test_removing_other_units_than_those_masked_is_noticed(name: str) -> None:
    inputs = random_input(name, 1)
    for group in prepared(name)[1].groups:
        if "attention.levels" in group.name:
            continue  # at their one position a ReLU often leaves nothing to notice
        half = group.units // 2
        removed, others = np.arange(half), np.arange(group.units - half, group.units)
        given = output_without(name, {group.name: removed}, inputs)
        wanted = output_masked(name, {group.name: others}, inputs)
        assert relative_error(given, wanted) > WRONG, group.name


@pytest.mark.parametrize("name", [n for n in PRUNABLE if not CASES[n].keeps_zero])
def test_masking_only_what_makes_leaves_what_is_not_zero_at_zero(name: str) -> None:
    removed = some_units(prepared(name)[1], 0.5)
    inputs = random_input(name, 1)
    given = output_without(name, removed, inputs)
    assert relative_error(given, output_masked(name, removed, inputs, only_made=True)) > WRONG


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("name", PRUNABLE)
def test_predicted_count_is_the_count(name: str, share: float) -> None:
    network, graph = network_of(name), prepared(name)[1]
    removed = some_units(graph, share)
    before = sum(p.numel() for p in network.parameters())
    predicted = count_after(parameter_shapes(network), losses(graph, removed))
    remove_channels(network, graph, removed)
    assert sum(p.numel() for p in network.parameters()) == predicted < before


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


@pytest.mark.parametrize(("first", "second"), [(0.3, 0.5), (0.7, 0.5)])
@pytest.mark.parametrize("name", PRUNABLE)
def test_two_steps_are_one(name: str, first: float, second: float) -> None:
    stepwise, at_once, graph = network_of(name), network_of(name), prepared(name)[1]
    before = some_units(graph, first, seed=1)
    left = graph.without(before)
    now = some_units(left, second, seed=2)
    remove_channels(stepwise, graph, before)
    remove_channels(stepwise, left, now)
    remove_channels(at_once, graph, combine(graph, before, now))
    inputs, wanted = random_input(name, 1), at_once.state_dict()
    assert all(torch.equal(t, wanted[n]) for n, t in stepwise.state_dict().items())
    assert torch.equal(stepwise(inputs), at_once(inputs))


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
    graph = build_graph(lively(Watched()), (2, 2, 8, 8))
    assert [group.name for group in graph.groups] == ["head"]
    assert ("body.weight", 0, 8) in {(f.tensor, f.axis, f.count) for f in graph.frozen}


def test_building_a_graph_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(conv(2, 8), nn.BatchNorm2d(8), conv(8, 3)).train()
    network[1].eval()  # statistics that a user holds still
    before = copy.deepcopy(network)
    build_graph(network, (2, 2, 8, 8))
    assert [m.training for m in network.modules()] == [m.training for m in before.modules()]
    wanted = before.state_dict()
    assert all(torch.equal(t, wanted[n]) for n, t in network.state_dict().items())
