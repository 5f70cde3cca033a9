"""The dependency graph as a value: groups of units, and what is frozen and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from stages.networks.indices import Indices, RemovedIndices, kept_of

Removed = Mapping[str, Indices]  # positions of units to remove, by group name

MAKES, FOLLOWS, READS = "makes", "follows", "reads"
POSITIONS = "its places are positions, not channels"  # why an axis beside channels stays


def layer_of(tensor: str) -> str:
    """The name of the module that owns a tensor; the root's own tensors stand for themselves."""
    return tensor.rpartition(".")[0] or tensor


@dataclass(frozen=True)
class Slice:
    """What a group's units own of one tensor axis: `indices[unit]` are a unit's, (units, each).

    The role is `makes` (a contraction's output), `follows` (bias, normalisation, depthwise), or
    `reads` (a contraction's input).
    """

    tensor: str
    axis: int
    role: str
    indices: Indices


@dataclass(frozen=True)
class Group:
    """Units with slices of the same tensors, in the order of the layer that makes them."""

    name: str
    slices: tuple[Slice, ...]

    @property
    def units(self) -> int:
        return len(self.slices[0].indices)


@dataclass(frozen=True)
class Frozen:
    """Indices of a tensor axis that are never removed."""

    tensor: str
    axis: int
    count: int
    reason: str


@dataclass(frozen=True)
class Graph:
    """Groups in the order in which the network makes them, and frozen axes."""

    groups: tuple[Group, ...]
    frozen: tuple[Frozen, ...]

    def without(self, removed: Removed) -> "Graph":
        """The graph of the network that is left once `removed` is gone: indices move up."""
        lost = removed_indices(self, removed)
        groups = []
        for group in self.groups:
            gone = removed.get(group.name, np.empty(0, np.int64))
            left = kept_of(group.units, gone)
            slices = tuple(
                replace(part, indices=_renumber(part.indices[left], lost, part))
                for part in group.slices
            )
            groups.append(Group(group.name, slices))
        return Graph(tuple(groups), self.frozen)


def removed_indices(graph: Graph, removed: Removed) -> RemovedIndices:
    """Which indices each tensor axis loses with the units `removed`, in rising order."""
    gone: dict[tuple[str, int], list[Indices]] = {}
    for group in graph.groups:
        units = removed.get(group.name)
        if units is not None and len(units):
            for part in group.slices:
                gone.setdefault((part.tensor, part.axis), []).append(part.indices[units].ravel())
    lost: dict[str, dict[int, Indices]] = {}
    for (tensor, axis), indices in gone.items():
        lost.setdefault(tensor, {})[axis] = np.flatnonzero(np.bincount(np.concatenate(indices)))
    return lost


def _renumber(indices: Indices, lost: RemovedIndices, part: Slice) -> Indices:
    gone = lost.get(part.tensor, {}).get(part.axis)
    return indices if gone is None else indices - np.searchsorted(gone, indices)


def combine(graph: Graph, before: Removed, now: Removed) -> dict[str, Indices]:
    """Units of `graph` removed in all: `before`, and `now`, given in positions of what was left."""
    both = {}
    for group in graph.groups:
        gone = np.asarray(before.get(group.name, []), np.int64)
        left = kept_of(group.units, gone)
        more = left[np.asarray(now.get(group.name, []), np.int64)]
        if len(gone) or len(more):
            both[group.name] = np.sort(np.concatenate([gone, more]))
    return both
