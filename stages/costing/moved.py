"""How many numbers a network writes beside its contractions: activations, sums, concatenations."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stages.channels.removal import remove_channels
from stages.contractions.calls import aten
from stages.dependency.graph import MAKES, Graph, Group, Slice
from stages.dependency.tracing import same_draws, unfused
from stages.measuring.unrun import unrun

CONTRACTIONS = (
    aten.convolution.default, aten.addmm.default, aten.mm.default, aten.bmm.default
)  # fmt: skip


def numbers_moved(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Elements that operators beside contractions write for an input of `shape`."""
    return unrun(_count, network, shape)


def moved_by_unit(
    network: nn.Module, graph: Graph, shape: tuple[int, ...]
) -> dict[str, list[tuple[int, float]]]:
    """What each index of an axis adds to that: axes and elements, by tensor that makes groups.

    Where groups share an axis, the mean over them.
    """
    whole = numbers_moved(network, shape)
    found: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for group in graph.groups:
        smaller = copy.deepcopy(network)
        remove_channels(smaller, graph, {group.name: np.array([0])})
        part = _made_by(group)
        less = (whole - numbers_moved(smaller, shape)) / part.indices.shape[1]
        found.setdefault((part.tensor, part.axis), []).append((part.indices.size, less))
    by_tensor: dict[str, list[tuple[int, float]]] = {}
    for (tensor, axis), parts in found.items():
        by_tensor.setdefault(tensor, []).append((axis, _mean(parts)))
    return by_tensor


def _made_by(group: Group) -> Slice:
    return next((part for part in group.slices if part.role == MAKES), group.slices[0])


def _mean(parts: Sequence[tuple[int, float]]) -> float:
    return sum(size * each for size, each in parts) / sum(size for size, _ in parts)


def _count(network: nn.Module, inputs: Tensor) -> int:
    counter = _Counter()
    with torch.no_grad(), unfused(), same_draws(), counter:
        network.eval()(inputs)
    return counter.elements


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view and func not in CONTRACTIONS:
            self.elements += sum(t.numel() for t in tree_leaves(made) if isinstance(t, Tensor))
        return made
