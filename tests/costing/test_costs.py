"""From times of layers to those of networks: known rates are found, and multiples that pay."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stages.channels.prices import prices_of
from stages.channels.removal import tensor_shapes
from stages.channels.tables import Table
from stages.costing import costs as costing
from stages.costing.calibration import Rates, rates_of
from stages.costing.costs import measured_costs
from stages.costing.grid import widths
from stages.costing.machine import machine_for, told
from stages.costing.moved import numbers_moved
from stages.costing.multiples import (
    COARSEST,
    FINER,
    multiple_that_pays,
    multiples_of,
    units_in,
    width_at,
)
from stages.costing.whole import whole_times, with_widths
from stages.dependency.build import build_graph
from stages.dependency.graph import MAKES, Group, Slice
from stages.errors import UserError
from stages.exporting.runtimes import refuse_missing
from stages.measuring.macs import macs_of
from stages.measuring.parameters import count_parameters
from stages.networks.espcn import ESPCN

CPU = torch.device("cpu")
KINDS = (0, *FINER, COARSEST)


def group_of(units: int, each: int = 1) -> Group:
    indices = np.arange(units * each).reshape(units, each)
    return Group("g", (Slice("w", 0, MAKES, indices),))


def test_known_rates_are_found() -> None:
    rng, known = np.random.default_rng(0), Rates(1.2, 0.3, 0.05, 7.0)
    layers, moved, weights = (rng.uniform(10, 1000, 9) for _ in range(3))
    times = [known.time(*one) for one in zip(layers, moved, weights, strict=True)]
    found = rates_of(list(layers), list(moved), list(weights), times)
    for name in ("layers", "moved", "weight", "rest"):
        assert getattr(found, name) == pytest.approx(getattr(known, name), rel=1e-6)


def test_no_rate_is_negative() -> None:
    found = rates_of([10, 20, 30], [5, 1, 9], [1, 1, 1], [10, 9, 8])
    assert min(found.layers, found.moved, found.weight, found.rest) >= 0


@pytest.mark.parametrize("likes", [1, 4, 8, 16])
def test_the_multiple_is_found_that_a_runtime_computes_in(likes: int) -> None:
    """A runtime that computes whole multiples saves nothing by widths in between."""
    macs = {0: 1600, 1: 2460, 2: 2420, 4: 2330, 8: 2150, 16: 2560}
    padded = {m: float(macs[16] if m < likes else macs[m]) for m in KINDS if m}
    found = multiple_that_pays(macs, padded | {0: 1600.0})
    assert found == likes


@pytest.mark.parametrize("each", [1, 2, 4, 9])
@pytest.mark.parametrize("units", [1, 2, 3, 7, 16, 24, 64, 320])
def test_widths_to_compare_are_multiples_of_just_theirs(units: int, each: int) -> None:
    group = group_of(units, each)
    tried = {kind: width_at(group, kind) for kind in KINDS}
    assert all(1 <= width <= units for width in tried.values())
    assert tried[0] <= min(tried.values())
    if units >= 2 * COARSEST and each == 1:
        for kind in KINDS[1:]:
            assert tried[kind] % kind == 0
            assert kind == COARSEST or tried[kind] % (2 * kind) != 0


@pytest.mark.parametrize(
    ("units", "each", "expected"),
    [(64, 1, 8), (64, 4, 2), (64, 8, 1), (64, 3, 8), (10, 1, 4), (1, 1, 1)],
)
def test_units_that_own_several_channels_are_part_of_a_multiple(
    units: int, each: int, expected: int
) -> None:
    assert units_in(group_of(units, each), 8) == expected


def test_units_of_groups_that_hardly_take_time_go_one_by_one() -> None:
    graph = build_graph(ESPCN(16, 2), (1, 1, 8, 8))
    first, second = (group.name for group in graph.groups)
    assert multiples_of(graph, 8, {first: 0.5, second: 0.001}) == {first: 8, second: 1}


class Made:
    """Times as they would be by MACs, numbers moved and weights; nothing is measured."""

    rates = Rates(2.0, 0.5, 0.1, 500.0)

    @classmethod
    def layers(cls, contractions: Any, runtime: str, device: Any) -> Any:
        return {
            c: Table(
                (a := widths(c.lengths[0]), b := widths(c.lengths[1])),
                tuple(tuple(float(c.macs((i, j))) for j in b) for i in a),
            )
            for c in contractions
        }

    @classmethod
    def whole(cls, networks: Any, shape: Any, runtime: str, device: Any) -> list[float]:
        known = [
            (macs_of(one, shape).count, numbers_moved(one, shape), count_parameters(one))
            for one in networks
        ]
        return [cls.rates.time(*of_one) for of_one in known]


@pytest.mark.parametrize("share", [1.0, 0.6, 0.3])
def test_prices_are_the_times_of_networks_of_any_widths(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """Where layers cost as they say, the table gives the time of a network that it never saw."""
    monkeypatch.setattr(costing, "layer_tables", Made.layers)
    monkeypatch.setattr(costing, "whole_times", Made.whole)
    network, shape = ESPCN(24, 2), (1, 1, 16, 16)
    graph = build_graph(network, (1, 1, 8, 8))
    costs = measured_costs(copy.deepcopy(network), graph, shape, "torch", CPU)
    prices = prices_of("time", {}, costs)
    smaller = with_widths(network, graph, {g.name: round(share * g.units) for g in graph.groups})
    (expected,) = Made.whole([smaller], shape, "torch", CPU)
    assert prices.cost(tensor_shapes(smaller)) == pytest.approx(expected, rel=0.02)
    assert costs["multiple"] == 1, "times that follow MACs step nowhere"
    assert costs["predicted_ns"] == pytest.approx(costs["measured_ns"], rel=0.02)


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_a_cost_table_is_measured(runtime: str) -> None:
    network, shape = ESPCN(8, 2), (1, 1, 16, 16)
    graph = build_graph(network, (1, 1, 8, 8))
    costs = measured_costs(network.eval(), graph, shape, runtime, CPU, round_to=2)
    prices = prices_of("time", {}, costs)
    assert costs["multiple"] == 2
    assert 0 < prices.cost(tensor_shapes(network)) < 1e9
    assert set(costs["multiples"]) == {group.name for group in graph.groups}


def test_a_network_that_cannot_be_exported_is_refused_in_its_runtime() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x) * torch.linalg.eigvalsh(x @ x.mT).sum()

    with pytest.raises(UserError, match="exported"):
        whole_times([Odd()], (4, 4), "onnx", CPU)
    assert whole_times([Odd()], (4, 4), "torch", CPU)[0] > 0


def test_a_machine_is_named() -> None:
    here = machine_for("onnx", CPU)
    assert here["threads"] == torch.get_num_threads()
    assert "onnxruntime" in here
    assert "torch" in machine_for("torch_channels_last", CPU)
    assert f"{here['threads']} threads" in told(here)


def test_a_runtime_that_is_not_at_hand_is_refused() -> None:
    refuse_missing("torch")
    refuse_missing("onnx")
    with pytest.raises(UserError, match=r"onnx_cuda is not on this machine.*torch"):
        refuse_missing("onnx_cuda")
