"""The dependency graph as a value: groups of units, and what is frozen and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import UserError

SCHEMA = 1

Indices = NDArray[np.int64]
Removed = Mapping[str, Indices]  # positions of units to remove, by group name
Lost = dict[str, dict[int, Indices]]  # indices to remove, by tensor and axis

MAKES, FOLLOWS, READS = "makes", "follows", "reads"


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
        lost = losses(self, removed)
        groups = []
        for group in self.groups:
            gone = removed.get(group.name, np.empty(0, np.int64))
            left = np.setdiff1d(np.arange(group.units), gone)
            slices = tuple(
                replace(part, indices=_renumber(part.indices[left], lost, part))
                for part in group.slices
            )
            groups.append(Group(group.name, slices))
        return Graph(tuple(groups), self.frozen)


def losses(graph: Graph, removed: Removed) -> Lost:
    """Which indices each tensor axis loses with the units `removed`, in rising order."""
    gone: dict[tuple[str, int], list[Indices]] = {}
    for group in graph.groups:
        units = removed.get(group.name)
        if units is not None and len(units):
            for part in group.slices:
                gone.setdefault((part.tensor, part.axis), []).append(part.indices[units].ravel())
    lost: Lost = {}
    for (tensor, axis), indices in gone.items():
        lost.setdefault(tensor, {})[axis] = np.unique(np.concatenate(indices))
    return lost


def _renumber(indices: Indices, lost: Lost, part: Slice) -> Indices:
    gone = lost.get(part.tensor, {}).get(part.axis)
    return indices if gone is None else indices - np.searchsorted(gone, indices)


def combine(graph: Graph, before: Removed, now: Removed) -> dict[str, Indices]:
    """Units of `graph` removed in all: `before`, and `now`, given in positions of what was left."""
    both = {}
    for group in graph.groups:
        gone = np.asarray(before.get(group.name, []), np.int64)
        left = np.setdiff1d(np.arange(group.units), gone)
        more = left[np.asarray(now.get(group.name, []), np.int64)]
        if len(gone) or len(more):
            both[group.name] = np.sort(np.concatenate([gone, more]))
    return both


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """Describe a graph with plain numbers, indices as runs; equal graphs give equal content."""
    groups = [
        {
            "name": group.name,
            "units": group.units,
            "slices": [
                {
                    "tensor": part.tensor,
                    "axis": part.axis,
                    "role": part.role,
                    "each": part.indices.shape[1],
                    "runs": to_runs(part.indices.ravel()),
                }
                for part in group.slices
            ],
        }
        for group in graph.groups
    ]
    frozen = [
        {"tensor": f.tensor, "axis": f.axis, "count": f.count, "reason": f.reason}
        for f in graph.frozen
    ]
    return {"schema": SCHEMA, "groups": groups, "frozen": frozen}


def graph_from_json(content: Mapping[str, Any]) -> Graph:
    """Read what `graph_to_json` wrote."""
    if content.get("schema") != SCHEMA:
        raise UserError(f"the graph has schema {content.get('schema')}: run `dvc repro` again")
    groups = tuple(
        Group(
            group["name"],
            tuple(
                Slice(
                    s["tensor"], s["axis"], s["role"], from_runs(s["runs"]).reshape(-1, s["each"])
                )
                for s in group["slices"]
            ),
        )
        for group in content["groups"]
    )
    return Graph(groups, tuple(Frozen(**frozen) for frozen in content["frozen"]))


def to_runs(indices: Indices) -> list[list[int]]:
    """Write indices as runs [first, length] of consecutive numbers."""
    if not len(indices):
        return []
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    return [[int(run[0]), len(run)] for run in np.split(indices, breaks)]


def from_runs(runs: list[list[int]]) -> Indices:
    """Read what `to_runs` wrote."""
    if not runs:
        return np.empty(0, np.int64)
    return np.concatenate([np.arange(first, first + length) for first, length in runs])
