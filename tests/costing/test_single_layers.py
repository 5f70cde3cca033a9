"""Layers as they are timed alone: the same operator as in the network, at any widths."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stages.channels.removal import remove_channels, tensor_shapes
from stages.costing.grid import widths
from stages.costing.layers import Contraction, uses_of
from stages.costing.moved import moved_by_unit, numbers_moved
from stages.costing.single import single_layer
from stages.dependency.graph import MAKES, Graph, Group, Slice
from stages.measuring.macs import macs_of
from tests.dependency.cases import CASES, prepared, some_units

NAMES = [
    "drln w8 m2 s3", "residual", "depthwise x2", "grouped", "transposed", "transposed grouped",
    "batch norm", "attention", "shared", "flatten", "signal", "tokens", "pixel shuffle",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_multiplication_with_a_weight_is_of_a_use(name: str) -> None:
    network = copy.deepcopy(prepared(name)[0])
    uses, counted = uses_of(network, CASES[name].shape), macs_of(network, CASES[name].shape)
    used = {network.get_parameter(use.weight) for use in uses}
    assert used == {network.get_parameter(tensor) for tensor in counted.by_tensor}
    assert all(use.contraction.macs(use.contraction.lengths) > 0 for use in uses)


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_of_other_lengths_is_what_removal_leaves(name: str) -> None:
    """Its weight has the shape, and its input the channels, of the layer in the smaller network."""
    network, graph = prepared(name)
    smaller, shape = copy.deepcopy(network), CASES[name].shape
    remove_channels(smaller, graph, some_units(graph, 0.5))
    before, after = (uses_of(copy.deepcopy(net), shape) for net in (network, smaller))
    shapes = tensor_shapes(smaller)
    for one, other in zip(before, after, strict=True):
        lengths = other.contraction.lengths
        made = one.contraction.weight_shape(lengths)
        assert made == (lengths[0], *shapes[one.weight][1:])
        assert one.contraction.input_shape(lengths) == other.contraction.input_shape(lengths)


@pytest.mark.parametrize("runtime", ["onnx", "torch_channels_last"])
@pytest.mark.parametrize("name", NAMES)
def test_runtimes_time_the_same_layer(name: str, runtime: str) -> None:
    uses = uses_of(copy.deepcopy(prepared(name)[0]), CASES[name].shape)
    for contraction in {use.contraction for use in uses}:
        lengths: Any = tuple(max(1, length // 2) for length in contraction.lengths)
        in_torch, inputs = single_layer(contraction, lengths, "torch")
        elsewhere, _ = single_layer(contraction, lengths, runtime)
        with torch.no_grad():
            assert torch.allclose(in_torch(inputs), elsewhere(inputs), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_moved_beside_adds_up_over_units(name: str) -> None:
    """The count of a smaller network is that of the whole less what its units add."""
    network, graph = prepared(name)
    shape, gone = CASES[name].shape, some_units(graph, 0.5)
    by_unit, before = moved_by_unit(network, graph, shape), tensor_shapes(network)
    smaller = copy.deepcopy(network)
    remove_channels(smaller, graph, gone)
    after = tensor_shapes(smaller)
    less = sum(
        each * (before[tensor][axis] - after[tensor][axis])
        for tensor, axes in by_unit.items()
        for axis, each in axes
    )
    assert numbers_moved(smaller, shape) == pytest.approx(numbers_moved(network, shape) - less)


def test_a_tensor_that_makes_two_groups_along_two_axes_counts_for_both() -> None:
    """A table of learned rows that are both counted by and added to something."""

    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.rand(6, 10))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = torch.relu(self.table)
            return x * made.sum(0, keepdim=True).sum()

    network, shape = Table(), (2, 3)
    groups = [
        Group(name, (Slice("table", axis, MAKES, np.arange(n)[:, None]),))
        for name, axis, n in (("rows", 0, 6), ("columns", 1, 10))
    ]
    by_unit = moved_by_unit(network, Graph(tuple(groups), ()), shape)
    assert [axis for axis, _ in by_unit["table"]] == [0, 1]
    assert all(each > 0 for _, each in by_unit["table"])


def test_a_network_that_makes_its_own_tensors_is_counted_too() -> None:
    class Adds(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_numpy(np.ones(tuple(x.shape), np.float32))

    assert numbers_moved(Adds(), (2, 3, 4)) >= 24


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 16, 17, 64, 100, 512])
def test_widths_reach_from_few_to_all(length: int) -> None:
    found = widths(length)
    assert found[-1] == length
    assert found == tuple(sorted(set(found)))
    assert all(width % 8 == 0 for width in found if 16 <= width < length)


def test_a_linear_layer_has_no_groups() -> None:
    contraction = Contraction((6, 4), (10,))
    assert contraction.groups_at((3, 2)) == 1
    assert contraction.input_shape((3, 2)) == (10, 2)
    assert contraction.macs((3, 2)) == 60
