"""Growing penalties shrink exactly what they should, and nothing else."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.channels.growing import (
    GrowingPenalty,
    growing_share,
    largest_remaining,
    relative_ceilings,
    selected_ceilings,
)
from stages.channels.importance import Importance, unit_importance, unit_norms
from stages.dependency.graph import Graph, Removed
from tests.dependency.cases import network_of, prepared, some_units, units_of

NAMES = ["drln w4 m1 s2", "batch norm", "prelu", "depthwise x2", "flatten", "shared", "twice"]


def some_ceilings(graph: Graph) -> Importance:
    generator = np.random.default_rng(5)
    return {group.name: generator.uniform(0, 3, group.units) for group in graph.groups}


def slowly_penalised(
    network: nn.Module, graph: Graph, ceilings: Importance, rate: float
) -> dict[str, Tensor]:
    """What one full application makes of every parameter, index by index."""
    expected = {name: p.detach().double().clone() for name, p in network.named_parameters()}
    for group in graph.groups:
        for part in group.slices:
            if part.tensor not in expected or group.name not in ceilings:
                continue
            for unit, indices in enumerate(part.indices.tolist()):
                for index in indices:
                    factor = 1 - rate * float(ceilings[group.name][unit])
                    expected[part.tensor].select(part.axis, index).mul_(factor)
    return expected


def owned_by(network: nn.Module, graph: Graph, units: Removed) -> dict[str, Tensor]:
    """Which elements of each parameter the units own."""
    owned = {n: torch.zeros_like(p, dtype=torch.bool) for n, p in network.named_parameters()}
    for group in graph.groups:
        for part in group.slices:
            if part.tensor in owned:
                index = torch.from_numpy(part.indices[units[group.name]].ravel())
                owned[part.tensor].index_fill_(part.axis, index, True)
    return owned


def test_the_share_grows_evenly_and_is_then_held() -> None:
    shares = [growing_share(iteration, 5) for iteration in range(12)]
    assert shares[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert shares[5:] == [1.0] * 7
    assert growing_share(0, 1) == 1.0


def test_the_least_important_unit_of_all_gets_the_ceiling_and_the_most_important_none() -> None:
    importance = {"a": np.array([0.5, 1.0, 1.5]), "b": np.array([0.2, 1.8])}
    ceilings = relative_ceilings(importance, 4.0)
    assert ceilings["b"] == pytest.approx([4.0, 0.0])
    assert ceilings["a"] == pytest.approx([4 * 1.3 / 1.6, 4 * 0.8 / 1.6, 4 * 0.3 / 1.6])


def test_units_of_equal_importance_get_no_penalty_and_no_groups_no_ceilings() -> None:
    assert relative_ceilings({"a": np.ones(3)}, 4.0)["a"].tolist() == [0.0, 0.0, 0.0]
    assert relative_ceilings({}, 4.0) == {}


def test_selected_units_get_the_ceiling_and_others_none() -> None:
    graph = prepared("batch norm")[1]
    ceilings = selected_ceilings(graph, {"m2": np.array([1, 4])}, 2.5)
    assert ceilings["m2"].tolist() == [0, 2.5, 0, 0, 2.5, 0]
    assert ceilings["head"].tolist() == [0] * 8


@pytest.mark.parametrize("name", NAMES)
def test_one_application_multiplies_by_one_less_rate_times_penalty(name: str) -> None:
    network, graph = network_of(name), prepared(name)[1]
    ceilings = some_ceilings(graph)
    expected = slowly_penalised(network, graph, ceilings, rate=0.1)
    GrowingPenalty(network, graph, ceilings, grow=1)(0, 0.1)
    for tensor, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.detach().double(), expected[tensor], rtol=1e-5, atol=0)


def test_normalisation_is_penalised_and_weights_between_two_groups_by_both() -> None:
    network, graph = network_of("batch norm"), prepared("batch norm")[1]
    before = copy.deepcopy(network.state_dict())
    ceilings = {"head": np.linspace(0, 7, 8), "m2": np.linspace(0, 5, 6)}
    GrowingPenalty(network, graph, ceilings, grow=4)(1, 0.1)  # half of the ceilings are in force
    head, second = 1 - 0.05 * torch.arange(8), 1 - 0.05 * torch.arange(6)
    factors = {
        "head.weight": head.view(-1, 1, 1, 1), "head.bias": head,
        "m0.weight": head, "m0.bias": head,
        "m2.weight": second.view(-1, 1, 1, 1) * head.view(1, -1, 1, 1),
        "m3.weight": second, "m3.bias": second,
        "tail.weight": second.view(1, -1, 1, 1),
    }  # fmt: skip
    for name, tensor in network.state_dict().items():
        if name in factors:
            torch.testing.assert_close(tensor, before[name] * factors[name], rtol=1e-6, atol=0)
        else:
            assert torch.equal(tensor, before[name]), name
    assert {"tail.bias", "m0.running_mean", "m3.running_var"} <= before.keys() - factors.keys()


@pytest.mark.parametrize("name", NAMES)
def test_selected_units_vanish_and_the_rest_stays_bit_for_bit(name: str) -> None:
    network, graph = network_of(name), prepared(name)[1]
    before, first = copy.deepcopy(network), unit_norms(network, graph)
    selected = some_units(graph, 0.5, seed=4)
    assert largest_remaining(network, graph, selected, first) == pytest.approx(1)
    penalty = GrowingPenalty(network, graph, selected_ceilings(graph, selected, 5.0), grow=10)
    for iteration in range(60):
        penalty(iteration, 0.05)
    owned = owned_by(network, graph, selected)
    for (tensor, now), was in zip(network.named_parameters(), before.parameters(), strict=True):
        assert torch.equal(now[~owned[tensor]], was[~owned[tensor]]), tensor
    norms = unit_norms(network, graph)
    for group, units in selected.items():
        assert (norms[group][units] < 1e-4 * first[group][units]).all()
    assert largest_remaining(network, graph, selected, first) < 1e-4


def test_what_is_left_is_the_largest_share_of_a_selected_unit() -> None:
    network, graph = network_of("batch norm"), prepared("batch norm")[1]
    first = unit_norms(network, graph)
    halved = {"head": first["head"] * np.array([1, 2, 4, 1, 1, 1, 1, 1]), "m2": first["m2"] * 10}
    selected = {"head": np.array([2, 1]), "m2": np.array([0])}
    assert largest_remaining(network, graph, selected, halved) == pytest.approx(0.5)
    assert largest_remaining(network, graph, {}, first) == 0


def test_groups_without_ceilings_are_left_alone() -> None:
    network, graph = network_of("residual"), prepared("residual")[1]
    before = copy.deepcopy(network.state_dict())
    ceilings = {"m0.c.0": np.full(units_of(graph, "m0.c.0"), 2.0)}
    GrowingPenalty(network, graph, ceilings, grow=1)(0, 0.1)
    changed = {n for n, t in network.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"m0.c.0.weight", "m0.c.0.bias", "m0.c.2.weight"}


def test_a_penalty_beyond_the_whole_weight_stops_at_zero() -> None:
    network, graph = network_of("batch norm"), prepared("batch norm")[1]
    ceilings = {"head": np.full(8, 30.0)}
    GrowingPenalty(network, graph, ceilings, grow=1)(0, 0.1)
    assert not network.head.weight.any()
    assert not network.m0.bias.any()


@pytest.mark.parametrize("name", NAMES)
def test_relative_penalties_spread_the_units_apart(name: str) -> None:
    network, graph = network_of(name), prepared(name)[1]
    before = unit_importance(network, graph, "norm2")
    penalty = GrowingPenalty(network, graph, relative_ceilings(before, 1.0), grow=3)
    for iteration in range(10):
        penalty(iteration, 0.1)
    after = unit_importance(network, graph, "norm2")
    assert sum(v.std() for v in after.values()) > sum(v.std() for v in before.values())
