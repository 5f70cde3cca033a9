"""Nodes: every index along every axis of every parameter and buffer has a number."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.dependency.labels import AxisLabels
from stages.networks.indices import RemovedIndices, kept_of

Numbers = NDArray[np.int64]
Kept = Mapping[tuple[str, int], Numbers]  # indices that are left, by tensor and axis


class Nodes:
    """Numbers for (tensor, axis, index), consecutive along an axis.

    Tensors shared by several modules are known by their first name.
    """

    def __init__(self, network: nn.Module):
        named = [*network.named_parameters(), *network.named_buffers()]
        self.shapes = {name: tuple(t.shape) for name, t in named if t.dim() > 0}
        self.axes = [(name, axis) for name, s in self.shapes.items() for axis in range(len(s))]
        self.lengths = np.array([self.shapes[name][axis] for name, axis in self.axes], np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.count = int(self.starts[-1])
        self._places = {place: number for number, place in enumerate(self.axes)}
        self._every = torch.arange(self.count)

    def along(self, name: str, axis: int) -> Tensor:
        """Return the nodes of an axis, (length,)."""
        number = self._places[name, axis]
        return self._every[int(self.starts[number]) : int(self.starts[number + 1])]

    def numbers(self, name: str, axis: int, indices: Numbers) -> Numbers:
        """The nodes of some indices of an axis, in their shape."""
        return indices + int(self.starts[self._places[name, axis]])

    def axis_of(self, nodes: Numbers) -> Numbers:
        """The number, in `axes`, of the axis that each node lies on."""
        return np.searchsorted(self.starts, nodes, side="right") - 1


class Labelling:
    """Labels of a network's own tensors: of the network that `nodes` number, or of what is `kept`
    of it; or of one of its modules, whose name is `prefix`."""

    def __init__(
        self, network: nn.Module, nodes: Nodes, kept: Kept | None = None, prefix: str = ""
    ):
        self.nodes, self.kept = nodes, kept or {}
        named = [*network.named_parameters(prefix), *network.named_buffers(prefix)]
        self.names = {id(tensor): name for name, tensor in named if name in nodes.shapes}
        self._labels: dict[str, AxisLabels] = {}
        self._along: dict[tuple[str, int], Tensor] = {}

    def labels_of(self, tensor: Tensor) -> AxisLabels | None:
        """Label every element of a tensor of the network with its node, once for each axis.

        None where the tensor is not the network's own.
        """
        name = self.names.get(id(tensor))
        if name is None:
            return None
        if name not in self._labels:
            shape = tensor.shape
            self._labels[name] = [
                self.along(name, axis)
                .view([length if other == axis else 1 for other in range(len(shape))])
                .expand(shape)
                for axis, length in enumerate(shape)
            ]
        return self._labels[name]

    def along(self, name: str, axis: int) -> Tensor:
        """Return the nodes of what is left of an axis, (length,)."""
        if (name, axis) not in self._along:
            nodes, kept = self.nodes.along(name, axis), self.kept.get((name, axis))
            left = nodes if kept is None else nodes[torch.from_numpy(kept)]
            self._along[name, axis] = left
        return self._along[name, axis]


def kept_axes(nodes: Nodes, lost: RemovedIndices) -> Kept:
    """The indices that are left of each axis that loses some."""
    return {
        (tensor, axis): kept_of(nodes.shapes[tensor][axis], gone)
        for tensor, axes in lost.items()
        for axis, gone in axes.items()
    }
