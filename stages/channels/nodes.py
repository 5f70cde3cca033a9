"""Nodes: every index along every axis of every parameter and buffer has a number."""

import torch
from torch import Tensor, nn

NONE = -1  # the label of an element that no node produced


class Nodes:
    """Numbers for (tensor, axis, index), consecutive along an axis.

    Tensors shared by several modules are known by their first name.
    """

    def __init__(self, network: nn.Module):
        self.tensors: dict[str, Tensor] = {
            name: tensor.detach()
            for name, tensor in [*network.named_parameters(), *network.named_buffers()]
            if tensor.dim() > 0
        }
        self.identities = {
            id(tensor): name
            for name, tensor in [*network.named_parameters(), *network.named_buffers()]
        }
        self.axes: list[tuple[str, int]] = []
        starts = [0]
        for name, tensor in self.tensors.items():
            for axis, length in enumerate(tensor.shape):
                self.axes.append((name, axis))
                starts.append(starts[-1] + length)
        self.starts = torch.tensor(starts)
        self.count = starts[-1]
        self._places = dict(zip(self.axes, starts, strict=False))

    def along(self, name: str, axis: int) -> Tensor:
        """Return the nodes of an axis, (length,)."""
        start = self._places[name, axis]
        return torch.arange(start, start + self.tensors[name].shape[axis])

    def facets(self, name: str) -> list[Tensor]:
        """Label every element of a tensor with its node, once for each axis (views, no memory)."""
        shape = self.tensors[name].shape
        facets = []
        for axis, length in enumerate(shape):
            ones = [length if other == axis else 1 for other in range(len(shape))]
            facets.append(self.along(name, axis).view(ones).expand(shape))
        return facets
