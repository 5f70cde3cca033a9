"""Layers too large to be solved for: one map of channels for all taps, and ranking by channel."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from stages.channels.removal import remove_channels
from stages.channels.repair import repair_channels
from stages.contractions.refit import Repair
from stages.dependency.build import build_graph
from tests.channels.test_obs import assert_all_are_ranked, assert_the_copy_is_lowest
from tests.channels.test_repair import READERS, TINY, batches, repaired_case, with_a_copy
from tests.dependency.cases import PRUNABLE

FLATTENED = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 3))
LAYERS: dict[str, tuple[nn.Module, nn.Module, tuple[int, ...]]] = {
    **{name: READERS[name] for name in ("convolution", "1-D, strided", "transposed")},
    "flattened": (nn.Conv2d(2, 6, 3), FLATTENED, (40, 2, 6, 6)),
}


@pytest.fixture(autouse=True)
def all_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.contractions.matrices.COLUMNS", 0)


def network_with_a_copy(name: str) -> tuple[nn.Sequential, tuple[int, ...]]:
    first, second, shape = LAYERS[name]
    return with_a_copy(first, second), shape


def repaired_without(network: nn.Sequential, shape: tuple[int, ...], units: list[int]) -> Repair:
    graph = build_graph(network, shape)
    double, small = copy.deepcopy(network).double(), copy.deepcopy(network).double()
    removed = {graph.groups[0].name: np.array(units)}
    remove_channels(small, graph, removed)
    return repair_channels(small, double, graph, removed, batches(shape), TINY)


@pytest.mark.parametrize("name", LAYERS)
def test_a_copy_of_a_channel_can_go_without_a_trace(name: str) -> None:
    network, shape = network_with_a_copy(name)
    report = repaired_without(network, shape, [5])
    assert len(report.mapped) == 1
    assert report.layers == report.mapped
    assert not report.scaled
    assert report.error_after < 1e-12 < 1e-6 < report.error_before


@pytest.mark.parametrize("name", LAYERS)
def test_a_bias_becomes_the_teachers_and_what_the_map_adds(name: str) -> None:
    network, shape = network_with_a_copy(name)
    graph = build_graph(network, shape)
    small = copy.deepcopy(network.double())
    removed = {graph.groups[0].name: np.array([5])}
    remove_channels(small, graph, removed)
    with torch.no_grad():
        [*small.parameters()][-1].add_(1)  # as an earlier repair may have left it
    report = repair_channels(small, network, graph, removed, batches(shape), TINY)
    assert report.error_after < 1e-12 < 0.1 < report.error_before


def test_a_map_comes_near_a_whole_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    network, shape = network_with_a_copy("convolution")
    mapped = repaired_without(network, shape, [1, 5])
    monkeypatch.setattr("stages.contractions.matrices.COLUMNS", 10**6)
    solved = repaired_without(network, shape, [1, 5])
    assert solved.error_after < mapped.error_after < 0.5 * mapped.error_before
    assert not solved.mapped


def test_a_layer_whose_inputs_are_no_channels_is_scaled() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    report = repaired_without(network, (20, 8), [2])
    assert report.scaled == ("2.weight",)
    assert not report.mapped


@pytest.mark.parametrize("name", LAYERS)
def test_a_copy_ranks_lowest(name: str) -> None:
    assert_the_copy_is_lowest(*network_with_a_copy(name))


@pytest.mark.parametrize("name", PRUNABLE)
def test_no_network_becomes_worse(name: str) -> None:
    report = repaired_case(name, 0.5)[1]
    assert report.error_after <= report.error_before
    assert set(report.layers) == {*report.mapped, *report.scaled}


@pytest.mark.parametrize("name", PRUNABLE)
def test_every_unit_is_ranked(name: str) -> None:
    assert_all_are_ranked(name)
