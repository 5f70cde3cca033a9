"""Goals: prices add up to what is counted, and what is left is what was asked, to one channel."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from stages.channels.budget import budget_for, choose_units, smallest_reachable
from stages.channels.importance import unit_importance
from stages.channels.portions import Limits
from stages.channels.prices import Prices, prices_of
from stages.channels.removal import parameter_shapes, remove_channels, tensor_shapes
from stages.dependency.build import build_graph
from stages.dependency.graph import Graph
from stages.goal_budget import choose_within
from stages.measuring.cost import saved_bytes
from stages.measuring.macs import macs_of
from stages.measuring.prices import network_prices
from stages.networks.saved import About, save_network
from stages.step_model import StepModel
from tests.dependency.cases import CASES, PRUNABLE, prepared, some_units

SHARES = [0.2, 0.5, 0.7]


class Attending(nn.Module):
    """Products of activations, whose number of channels is pruned."""

    def __init__(self, width: int = 24):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(6, width) for _ in range(3))
        self.out = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(scaled_dot_product_attention(self.q(x), self.k(x), self.v(x)))


def known_of(network: nn.Module, shape: tuple[int, ...], folder: Path) -> dict[str, Any]:
    save_network(folder, network, About("f", {}, shape))
    return network_prices(network, saved_bytes(folder), shape)


@pytest.mark.parametrize("name", PRUNABLE)
def test_prices_add_up_to_what_is_counted_before_and_after_removal(
    name: str, tmp_path: Path
) -> None:
    given, graph = prepared(name)
    network, shape = copy.deepcopy(given), CASES[name].shape
    known = known_of(network, shape, tmp_path)
    macs = prices_of("macs", parameter_shapes(network), known)
    stored = prices_of("bytes", parameter_shapes(network), known)
    assert macs.cost(tensor_shapes(network)) == macs_of(network, shape).count > 0
    assert stored.cost(tensor_shapes(network)) == saved_bytes(tmp_path)
    remove_channels(network, graph, some_units(graph, 0.5))
    assert macs.cost(tensor_shapes(network)) == macs_of(network, shape).count
    save_network(tmp_path, network, About("f", {}, shape))
    header = stored.cost(tensor_shapes(network)) - saved_bytes(tmp_path)
    assert 0 <= header < 200, "lengths of axes take fewer digits, no other byte is missed"


def dearest_unit(graph: Graph, network: nn.Module, prices: Prices) -> int:
    """The most that one unit costs in the whole network."""
    costs, before = [], prices.cost(tensor_shapes(network))
    for group in graph.groups:
        smaller = copy.deepcopy(network)
        remove_channels(smaller, graph, {group.name: np.array([0])})
        costs.append(before - prices.cost(tensor_shapes(smaller)))
    return max(costs)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("goal", ["parameters", "macs", "bytes"])
@pytest.mark.parametrize(
    "name", ["drln w12 m1 s4", "espcn w16 s3", "residual", "grouped", "signal"]
)
def test_what_is_left_is_within_one_channel_of_the_goal(
    name: str, goal: Any, share: float, tmp_path: Path
) -> None:
    network, graph = prepared(name)
    prices = prices_of(
        goal, parameter_shapes(network), known_of(network, CASES[name].shape, tmp_path)
    )
    shapes, limits = tensor_shapes(network), Limits(minimum=1)
    initial = prices.cost(shapes)
    budget = max(budget_for(share, initial), smallest_reachable(graph, shapes, limits, prices))
    importance = unit_importance(network, graph, "norm2")
    smaller = copy.deepcopy(network)
    remove_channels(smaller, graph, choose_units(graph, importance, shapes, budget, limits, prices))
    left = prices.cost(tensor_shapes(smaller))
    assert budget - dearest_unit(graph, network, prices) < left <= budget


def test_goals_choose_differently(tmp_path: Path) -> None:
    """Units early in a network meet more positions than later ones: they are dear in MACs."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 16, 3, stride=8), nn.Conv2d(16, 40, 3),
        nn.Conv2d(40, 2, 1),
    )  # fmt: skip
    shape = (1, 1, 40, 40)
    graph, known = build_graph(network, shape), known_of(network, shape, tmp_path)
    importance = unit_importance(network, graph, "norm2")
    gone = {}
    for goal in ("parameters", "macs"):
        prices = prices_of(goal, parameter_shapes(network), known)
        shapes = tensor_shapes(network)
        budget = budget_for(0.5, prices.cost(shapes))
        gone[goal] = choose_units(graph, importance, shapes, budget, Limits(), prices)
    assert {n: len(u) for n, u in gone["parameters"].items()} != {
        n: len(u) for n, u in gone["macs"].items()
    }


@pytest.mark.parametrize("share", [0.1, 0.3, 0.45])
def test_products_of_activations_are_counted_too(share: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, shape = Attending(), (1, 10, 6)
    graph, known = build_graph(network, shape), known_of(network, shape, tmp_path)
    assert known["macs"]["rest"] > 0.1 * macs_of(network, shape).count
    model = StepModel(network, About("f", {}, shape), graph, graph)
    initial = macs_of(network, shape).count
    budget = budget_for(share, initial)
    planned = {"goal": "macs", "prices": known, "budget": budget, "scope": "global", "minimum": 1,
               "round_to": 1, "protect": []}  # fmt: skip
    importance = unit_importance(network, graph, "norm2")
    smaller = copy.deepcopy(network)
    remove_channels(smaller, graph, choose_within(model, importance, planned, budget))
    left = macs_of(smaller, shape).count
    one = max(
        initial - macs_of(_without_one(network, graph, group.name), shape).count
        for group in graph.groups
    )
    assert budget - one < left <= budget


def _without_one(network: nn.Module, graph: Graph, group: str) -> nn.Module:
    smaller = copy.deepcopy(network)
    remove_channels(smaller, graph, {group: np.array([0])})
    return smaller
