"""Removing units from a network."""

from collections.abc import Mapping

import numpy as np
from torch import nn

from stages.dependency.graph import Graph, Removed, removed_indices
from stages.networks.indices import RemovedIndices
from stages.networks.reshape import remove_indices

Shapes = Mapping[str, tuple[int, ...]]


def parameter_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shapes of all parameters; one shared by several modules counts once."""
    return {name: tuple(p.shape) for name, p in network.named_parameters()}


def tensor_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shapes of all parameters and buffers, shared ones once."""
    return parameter_shapes(network) | {n: tuple(b.shape) for n, b in network.named_buffers()}


def count_after(shapes: Shapes, removed: RemovedIndices) -> int:
    """How many parameters are left once every axis has lost its indices."""
    total = 0
    for name, shape in shapes.items():
        gone = removed.get(name, {})
        lengths = (n - len(gone.get(axis, ())) for axis, n in enumerate(shape))
        total += int(np.prod([1, *lengths]))
    return total


def remove_channels(network: nn.Module, graph: Graph, removed: Removed) -> None:
    """Take the units `removed` out of `network`, in place; layers become smaller."""
    remove_indices(network, removed_indices(graph, removed))
