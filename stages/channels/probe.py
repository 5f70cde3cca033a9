"""Proof by trial: a group is prunable if a network still works with some of its units gone."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from stages.channels.graph import Graph, Group, Removed
from stages.channels.removal import mask_channels, relative_error, remove_channels

TOLERANCE = 1e-5  # relative, float32


def probe(network: nn.Module, example: Tensor, graph: Graph, group: Group) -> str | None:
    """Remove several choices of the group's units in turn; returns what went wrong, if anything.

    The result must run, keep the output's shape, and equal the network with the units masked.
    """
    if group.units < 2:
        return "removing it would leave a layer empty"
    for units in _trials(group.units):
        try:
            error = masking_error(network, example, graph, {group.name: units})
        except Exception as problem:  # whatever a user's own forward pass may raise
            told = str(problem).splitlines() or [type(problem).__name__]
            return f"the network breaks without it: {told[0]}"
        if not error <= TOLERANCE:
            return f"removing it changes what the network computes (relative error {error:.1e})"
    return None


def _trials(units: int) -> list[NDArray[np.int64]]:
    """One unit at either end, all but one, each half, every other: what moves or splits shows."""
    every = np.arange(units)
    ends = [every[:1], every[-1:], every[1:]]
    return [*ends, every[: units // 2], every[-(units // 2) :], every[: units - 1 : 2], every[1::2]]


def stirred(network: nn.Module) -> nn.Module:
    """A copy with parameters drawn anew: no silent weight may hide what a removal breaks."""
    copied, generator = copy.deepcopy(network), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in copied.parameters():
            if parameter.dim() > 1:
                spread = (2 / parameter[0].numel()) ** 0.5
                parameter.normal_(0, spread, generator=generator)
            else:
                parameter.uniform_(0.5, 1.5, generator=generator)
    return copied


def masking_error(network: nn.Module, example: Tensor, graph: Graph, removed: Removed) -> float:
    """Relative error of the network without the units against the network with them masked.

    Raises:
        RuntimeError: if it does not run, or gives another shape.
    """
    pruned, masked = copy.deepcopy(network).eval(), copy.deepcopy(network).eval()
    remove_channels(pruned, graph, removed)
    mask_channels(masked, graph, removed)
    with torch.no_grad():
        given, wanted = pruned(example), masked(example)
    pairs = list(zip(tree_leaves(given), tree_leaves(wanted), strict=True))
    for one, other in pairs:
        if one.shape != other.shape:
            raise RuntimeError(f"the output is {tuple(one.shape)}, not {tuple(other.shape)}")
    return max(relative_error(one, other) for one, other in pairs)
