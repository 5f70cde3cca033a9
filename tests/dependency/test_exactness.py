"""A network without units must be the network with those units silenced."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.channels.masking import kept_statistics, mask_channels
from stages.channels.proof import DOUBLE, LIMITS, relative_error
from stages.channels.removal import count_after, parameter_shapes, remove_channels
from stages.dependency.graph import Removed, combine, removed_indices
from tests.dependency.cases import CASES, PRUNABLE, network_of, prepared, some_units

EXACT, WRONG = LIMITS[DOUBLE], 1e-3


def output_without(name: str, removed: Removed, inputs: Tensor) -> Tensor:
    network = network_of(name).double()
    remove_channels(network, prepared(name)[1], removed)
    with torch.no_grad():
        return network(inputs)


def output_masked(name: str, removed: Removed, inputs: Tensor, only_made: bool = False) -> Tensor:
    network = network_of(name).double()
    graph = prepared(name)[1]
    mask_channels(network, graph, removed, only_made)
    with torch.no_grad(), kept_statistics(network, removed_indices(graph, removed)):
        return network(inputs)


def random_input(name: str, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(CASES[name].shape, generator=generator, dtype=torch.float64)


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
    predicted = count_after(parameter_shapes(network), removed_indices(graph, removed))
    remove_channels(network, graph, removed)
    assert sum(p.numel() for p in network.parameters()) == predicted < before


@pytest.mark.parametrize(("first", "second"), [(0.3, 0.5), (0.7, 0.5)])
@pytest.mark.parametrize("name", PRUNABLE)
def test_two_steps_are_one(name: str, first: float, second: float) -> None:
    stepwise, at_once = network_of(name).double(), network_of(name).double()
    graph = prepared(name)[1]
    before = some_units(graph, first, seed=1)
    left = graph.without(before)
    now = some_units(left, second, seed=2)
    remove_channels(stepwise, graph, before)
    remove_channels(stepwise, left, now)
    remove_channels(at_once, graph, combine(graph, before, now))
    inputs, wanted = random_input(name, 1), at_once.state_dict()
    assert all(torch.equal(t, wanted[n]) for n, t in stepwise.state_dict().items())
    assert torch.equal(stepwise(inputs), at_once(inputs))


@pytest.mark.parametrize("name", PRUNABLE)
def test_layers_know_their_new_sizes(name: str) -> None:
    network, graph = network_of(name), prepared(name)[1]
    remove_channels(network, graph, some_units(graph, 0.5))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv1d | nn.ConvTranspose2d):
            sizes = [layer.out_channels, layer.in_channels]
            sizes = sizes[::-1] if layer.transposed else sizes
            assert [sizes[0], sizes[1] // layer.groups] == list(layer.weight.shape[:2])
            assert layer.bias is None or len(layer.bias) == layer.out_channels
        elif isinstance(layer, nn.Linear):
            assert (layer.out_features, layer.in_features) == layer.weight.shape
        elif isinstance(layer, nn.PReLU):
            assert layer.num_parameters == len(layer.weight)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert layer.num_features == len(layer.running_mean)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_outputs_that_are_no_numbers_are_no_proof(broken: float) -> None:
    fine = torch.ones(3)
    bad = torch.tensor([1.0, 1.0, broken])
    assert relative_error(fine, fine) == 0
    for one, other in ((fine, bad), (bad, fine), (bad, bad)):
        assert relative_error(one, other) > EXACT
