"""What removal breaks is repaired: where it can be whole, it is; where not, it is the best fit."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.channels.removal import remove_channels
from stages.channels.repair import repair_channels
from stages.contractions.refit import Repair
from stages.control_training import begin_afresh
from stages.dependency.build import build_graph
from tests.dependency.cases import CASES, PRUNABLE, network_of, prepared, some_units

TINY = 1e-9  # a ridge that a test of exactness does not see


def batches(shape: tuple[int, ...], count: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(count)]


def duplicated(network: nn.Sequential, factor: float) -> nn.Sequential:
    """The network with its first layer's last channel a multiple of the one before."""
    first = network[0]
    with torch.no_grad():
        for tensor in (first.weight, first.bias):
            if isinstance(first, nn.ConvTranspose2d) and tensor is first.weight:
                tensor[:, -1] = factor * tensor[:, -2]
            else:
                tensor[-1] = factor * tensor[-2]
    return network


READERS: dict[str, tuple[nn.Module, nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(5, 6), nn.Linear(6, 3), (20, 5)),
    "convolution": (nn.Conv2d(2, 6, 3), nn.Conv2d(6, 3, 3), (4, 2, 9, 9)),
    "1-D, strided": (nn.Conv1d(2, 6, 3), nn.Conv1d(6, 3, 4, stride=2), (4, 2, 30)),
    "transposed": (
        nn.ConvTranspose2d(2, 6, 3), nn.ConvTranspose2d(6, 3, 4, stride=2), (4, 2, 5, 5)
    ),
}  # fmt: skip


def with_a_copy(first: nn.Module, second: nn.Module) -> nn.Sequential:
    """Both layers anew, the first with a channel that is a multiple of another."""
    network = nn.Sequential(copy.deepcopy(first), nn.ReLU(), copy.deepcopy(second))
    torch.manual_seed(1)
    begin_afresh(network)
    return duplicated(network, 1.7)


@pytest.mark.parametrize("name", READERS)
def test_a_copy_of_a_channel_can_go_without_a_trace(name: str) -> None:
    first, second, shape = READERS[name]
    network = with_a_copy(first, second)
    graph = build_graph(network, shape)
    network.double()
    small = copy.deepcopy(network)
    removed = {graph.groups[0].name: np.array([graph.groups[0].units - 1])}
    remove_channels(small, graph, removed)
    report = repair_channels(small, network, graph, removed, batches(shape), TINY)
    assert report.layers == ("2.weight",)
    assert not report.left
    assert report.error_after < 1e-12 < 1e-6 < report.error_before
    (other,) = batches(shape, 1)
    assert torch.allclose(small(other + 1), network(other + 1), atol=1e-6)


def repaired_case(name: str, share: float) -> tuple[nn.Module, Repair]:
    """A network without a share of its units, repaired."""
    graph = prepared(name)[1]
    removed = some_units(graph, share, seed=1) if share else {}
    whole, small = network_of(name), network_of(name)
    remove_channels(small, graph, removed)
    inputs = [batch.float() for batch in batches(CASES[name].shape)]
    return small, repair_channels(small, whole, graph, removed, inputs, 1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("name", PRUNABLE)
def test_repair_never_makes_worse_what_it_saw(name: str, share: float) -> None:
    small, report = repaired_case(name, share)
    assert report.error_after <= report.error_before
    again, whole = repaired_case(name, share)[0].state_dict(), network_of(name).state_dict()
    for key, tensor in small.state_dict().items():
        assert torch.equal(tensor, again[key])
        if not share:
            assert torch.allclose(tensor, whole[key], atol=1e-6)
