"""Removing units from a network."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from stages.channels.graph import Graph, Lost, Removed, kept_of, losses
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
    remove_indices(network, losses(graph, removed))


def remove_indices(network: nn.Module, lost: Lost) -> None:
    """Take indices of tensors' axes out of `network`, in place."""
    names = _first_names(network)
    state = network.state_dict()
    sliced = {}
    for name, tensor in state.items():
        for axis, gone in lost.get(names.get(name, name), {}).items():
            left = kept_of(tensor.shape[axis], gone)
            tensor = tensor.index_select(axis, torch.from_numpy(left).to(tensor.device))
        sliced[name] = tensor
    replace_tensors(network, sliced)


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
