"""Proof by trial: a group is prunable if a network still works with some of its units gone."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from stages.channels.graph import Graph, Group, Removed
from stages.channels.removal import mask_channels, relative_error, remove_channels

TOLERANCE = 1e-5  # relative, float32


def probe(network: nn.Module, example: Tensor, graph: Graph, group: Group) -> str | None:
    """Remove the group's first unit, then every other one; returns what went wrong, if anything.

    The result must run, keep the output's shape, and equal the network with the units masked.
    """
    if group.units < 2:
        return "removing it would leave a layer empty"
    for units in (np.array([0]), np.arange(0, group.units - group.units % 2, 2)):
        try:
            error = masking_error(network, example, graph, {group.name: units})
        except (RuntimeError, ValueError, IndexError, AssertionError, TypeError) as problem:
            return f"the network breaks without it: {str(problem).splitlines()[0]}"
        if error > TOLERANCE:
            return f"removing it changes what the network computes (relative error {error:.1e})"
    return None


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
    if given.shape != wanted.shape:
        raise RuntimeError(f"the output is {tuple(given.shape)}, not {tuple(wanted.shape)}")
    return relative_error(given, wanted)
