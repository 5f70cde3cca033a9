"""Layers too large to be solved for: one map of channels for all taps, and ranking by channel."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from stages.channels.obs import obs_importance
from stages.channels.removal import remove_channels
from stages.channels.repair import repair_channels
from stages.contractions.refit import Repair
from stages.dependency.build import build_graph
from tests.channels.test_obs import samples_of
from tests.channels.test_repair import READERS, TINY, batches, duplicated
from tests.dependency.cases import CASES, PRUNABLE, network_of, prepared, some_units

FLATTENED = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 3))
LAYERS: dict[str, tuple[nn.Module, nn.Module, tuple[int, ...]]] = {
    **{name: READERS[name] for name in ("convolution", "1-D, strided", "transposed")},
    "flattened": (nn.Conv2d(2, 6, 3), FLATTENED, (40, 2, 6, 6)),
}


@pytest.fixture(autouse=True)
def all_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.channels.shared_taps.COLUMNS", 0)


def network_with_a_copy(name: str) -> tuple[nn.Sequential, tuple[int, ...]]:
    first, second, shape = (copy.deepcopy(part) for part in LAYERS[name])
    torch.manual_seed(1)
    for module in (first, *second.modules()):
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return duplicated(nn.Sequential(first, nn.ReLU(), second), 1.7), shape


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
    monkeypatch.setattr("stages.channels.shared_taps.COLUMNS", 10**6)
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
    network, shape = network_with_a_copy(name)
    graph = build_graph(network, shape)
    samples = samples_of(network.double(), shape, torch.float64)
    importance, others = obs_importance(network, graph, samples, mse_loss, TINY)
    assert not others
    values = importance[graph.groups[0].name]
    assert min(values[-2:]) < 1e-6 * np.sort(values)[1]


@pytest.mark.parametrize("name", PRUNABLE)
def test_no_network_becomes_worse(name: str) -> None:
    graph = prepared(name)[1]
    removed = some_units(graph, 0.5, seed=1)
    whole, small = network_of(name), network_of(name)
    remove_channels(small, graph, removed)
    inputs = [batch.float() for batch in batches(CASES[name].shape)]
    report = repair_channels(small, whole, graph, removed, inputs, 1e-3)
    assert report.error_after <= report.error_before
    assert set(report.layers) == {*report.mapped, *report.scaled}


@pytest.mark.parametrize("name", PRUNABLE)
def test_every_unit_is_ranked(name: str) -> None:
    network, graph = network_of(name), prepared(name)[1]
    samples = samples_of(network, CASES[name].shape, torch.float32)
    importance, _ = obs_importance(network, graph, samples, mse_loss, 1e-3)
    for group in graph.groups:
        assert np.isfinite(importance[group.name]).all()
        assert len(importance[group.name]) == group.units
