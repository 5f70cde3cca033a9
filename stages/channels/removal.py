"""Removing units from a network, and silencing them instead, to compare."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from stages.channels.graph import READS, Graph, Lost, Removed, losses
from stages.networks.reshape import replace_tensors

Shapes = Mapping[str, tuple[int, ...]]


def parameter_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shapes of all parameters; one shared by several modules counts once."""
    return {name: tuple(p.shape) for name, p in network.named_parameters()}


def count_after(shapes: Shapes, lost: Lost) -> int:
    """How many parameters are left once every axis has lost its indices."""
    total = 0
    for name, shape in shapes.items():
        gone = lost.get(name, {})
        lengths = (n - len(gone.get(axis, ())) for axis, n in enumerate(shape))
        total += int(np.prod([1, *lengths]))
    return total


def remove_channels(network: nn.Module, graph: Graph, removed: Removed) -> None:
    """Take the units `removed` out of `network`, in place; layers become smaller."""
    lost = losses(graph, removed)
    names = _first_names(network)
    state = network.state_dict()
    sliced = {}
    for name, tensor in state.items():
        for axis, gone in lost.get(names.get(name, name), {}).items():
            left = np.setdiff1d(np.arange(tensor.shape[axis]), gone)
            tensor = tensor.index_select(axis, torch.from_numpy(left).to(tensor.device))
        sliced[name] = tensor
    replace_tensors(network, sliced)


def mask_channels(
    network: nn.Module, graph: Graph, removed: Removed, only_made: bool = False
) -> None:
    """Set all parameters of the units `removed` to zero, in place; shapes stay.

    With `only_made`, weights that read the units are left alone: what silences a unit is then
    only that nothing makes it, which needs activations that keep zero at zero.
    """
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for group in graph.groups:
            units = removed.get(group.name)
            if units is None or not len(units):
                continue
            for part in group.slices:
                if part.tensor not in parameters or (only_made and part.role == READS):
                    continue
                index = torch.from_numpy(np.unique(part.indices[units]))
                tensor = parameters[part.tensor]
                tensor.index_fill_(part.axis, index.to(tensor.device), 0.0)


def relative_error(one: Tensor, other: Tensor) -> float:
    """Largest difference of two outputs, as a share of the largest value of `other`.

    Infinite where either holds what is no finite number: that proves nothing.
    """
    error = float((one - other).abs().max()) / max(float(other.abs().max()), 1e-12)
    return error if math.isfinite(error) else math.inf


def _first_names(network: nn.Module) -> dict[str, str]:
    """The name under which the graph knows each tensor: its first, where it is shared."""
    first: dict[int, str] = {}
    names = {}
    tensors = [
        *network.named_parameters(remove_duplicate=False),
        *network.named_buffers(remove_duplicate=False),
    ]
    for name, tensor in tensors:
        names[name] = first.setdefault(id(tensor), name)
    return names
