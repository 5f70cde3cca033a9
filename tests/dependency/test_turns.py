"""Code that takes another way at other widths: removal is exact at all that the graph leaves."""

import copy
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.channels.proof import masking_proof
from stages.channels.removal import remove_channels
from stages.dependency.build import build_graph
from stages.dependency.graph import Graph
from stages.dependency.turns import TURNS
from stages.dependency.widths import Width, counting
from tests.dependency.networks_under_test import between, conv, lively
from tests.dependency.own_sizes import STEADY, TURNING, Asking, added_where_equal

SHAPE = (2, 2, 8, 8)


def without(network: nn.Module, graph: Graph, left: Mapping[str, int]) -> bool:
    """Whether removal is exact with so many units left, the last of each group gone."""
    removed = {g.name: np.arange(left.get(g.name, g.units), g.units) for g in graph.groups}
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    return masking_proof(network, x, graph, removed).holds


@pytest.mark.parametrize("name", TURNING)
def test_removal_is_exact_at_all_widths(name: str) -> None:
    network = lively(TURNING[name]())
    graph = build_graph(network, SHAPE)
    widths = [range(1, group.units + 1) for group in graph.groups]
    for left in itertools.product(*widths):
        assert without(network, graph, {
            g.name: n for g, n in zip(graph.groups, left, strict=True)}), left  # fmt: skip


def test_without_the_trials_it_would_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.dependency.prunable.turning", lambda *_, **__: {})
    network = lively(Asking(added_where_equal))
    graph = build_graph(network, SHAPE)
    assert without(network, graph, {"head": 7, "next": 6})
    assert not without(network, graph, {"head": 6, "next": 6})


@pytest.mark.parametrize("name", STEADY)
def test_what_is_asked_in_vain_costs_no_channel(name: str) -> None:
    graph = build_graph(lively(between(STEADY[name])), SHAPE)
    assert [(group.name, group.units) for group in graph.groups] == [("head", 8)]


class Narrow(nn.Module):
    """A block whose inside is added where it is as wide as what comes in."""

    def __init__(self, inside: int, asks: bool):
        super().__init__()
        self.a, self.b, self.asks = conv(8, inside), conv(inside, 8), asks

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x).relu()
        return x + self.b(added_where_equal(x, y) if self.asks else y)


def test_fifty_equal_blocks_are_judged_at_once(operators: list[Any]) -> None:
    network = between(*(Narrow(6, asks=True) for _ in range(50)))
    graph = build_graph(lively(network), SHAPE)
    assert [group.name for group in graph.groups] == [f"m{n}.a" for n in range(50)]
    assert {f.reason for f in graph.frozen if f.tensor == "head.bias"} == {TURNS}
    once = 2 + 50 * 4
    assert len(operators) < 20 * once, len(operators) / once


def test_of_blocks_of_several_widths_those_stay_that_meet() -> None:
    network = between(Narrow(12, asks=True), Narrow(12, asks=False), Narrow(6, asks=True))
    graph = build_graph(lively(network), SHAPE)
    assert [group.name for group in graph.groups] == ["m1.a", "m2.a"]


def test_sizes_are_numbers_and_layers_keep_theirs() -> None:
    network = Asking(added_where_equal)
    build_graph(lively(network), SHAPE)
    for layer in network.children():
        assert type(layer.in_channels) is type(layer.out_channels) is int
    graph = build_graph(network, SHAPE)
    remove_channels(network, graph, {"next": np.arange(2)})
    assert (network.next.out_channels, network.tail.in_channels) == (4, 4)


def test_what_follows_from_widths_knows_how() -> None:
    asked: list[Any] = []
    first, second = (counting(np.arange(n), n, asked) for n in (8, 6))
    result = (first + second) * 2 // 4 - 1
    assert type(result) is Width
    assert result == 6
    assert asked[-1].answer
    assert asked[-1].answered(lambda nodes: len(nodes) - 2) == (4 == 6)
    assert asked[-1].answered(lambda nodes: 7) == (6 == 6)
    assert 16 - first > second
    assert [first, second] == [8, 6]
    assert {8: "found"}[first] == "found"
    assert [type(copied(first)) for copied in (copy.copy, copy.deepcopy)] == [int, int]
    assert (first / 2, [0] * second, f"{first:03}") == (4.0, [0] * 6, "008")


def test_what_a_long_loop_sums_up_is_a_plain_number() -> None:
    width, total = counting(np.arange(3), 3, []), 0
    for _ in range(5000):
        total += width
    assert (total, type(total * 1)) == (15000, int)
