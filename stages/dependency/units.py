"""From couplings to units and groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.dependency.flow import Flow
from stages.dependency.graph import FOLLOWS, MAKES, READS, Group, Slice, layer_of
from stages.dependency.nodes import Nodes, Numbers

NEVER = np.iinfo(np.int64).max
# Places in a component's reasons: that it may go, and what follows from its couplings alone.
FREE, UNMADE, UNREAD, WHOLE = range(4)
REASONS = ("", "no convolution or linear layer makes it", "no layer reads it",
           "removing it would leave a layer empty")  # fmt: skip


@dataclass(frozen=True)
class Components:
    """What couplings tie together: for each node its component; for each component what it is."""

    of: Numbers  # (nodes and the input)
    made_at: Numbers  # (nodes) the place of the contraction that makes it, or NEVER
    is_read: NDArray[np.bool_]  # (nodes)
    alive: NDArray[np.bool_]  # (components) made or read by a contraction
    reason: Numbers  # (components) a place in `reasons`, FREE where it may go
    reasons: tuple[str, ...]


def components_of(nodes: Nodes, flow: Flow) -> Components:
    """Connected components of the couplings, and why some of them must stay."""
    size = nodes.count + 1  # and the input
    pairs = np.concatenate([np.empty((2, 0), np.int64), *flow.pairs], axis=1)
    links = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(size, size))
    count, of = connected_components(links, directed=False)
    made_at, is_read = np.full(size, NEVER), np.zeros(size, bool)
    in_order = np.concatenate([np.empty(0, np.int64), *flow.contraction_outputs])
    np.minimum.at(made_at, in_order, np.arange(len(in_order)))
    is_read[np.concatenate([np.empty(0, np.int64), *flow.contraction_inputs])] = True
    made, read = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    made[of[made_at < NEVER]] = True
    read[of[is_read]] = True
    reasons = list(REASONS)
    reason = np.where(~made, UNMADE, np.where(~read, UNREAD, FREE))
    reason[(reason == FREE) & _whole_axes(nodes, of, count)] = WHOLE
    for frozen, why in reversed(flow.frozen):  # what is said first is written last, and counts
        if why not in reasons:
            reasons.append(why)
        reason[of[frozen]] = reasons.index(why)
    return Components(of, made_at, is_read, made | read, reason, tuple(reasons))


def _whole_axes(nodes: Nodes, of: Numbers, count: int) -> NDArray[np.bool_]:
    """Components that hold a whole axis."""
    owned = of[: nodes.count]
    whole = np.zeros(count, bool)
    long = nodes.lengths > 0
    starts = nodes.starts[:-1][long]
    same = np.minimum.reduceat(owned, starts) == np.maximum.reduceat(owned, starts)
    whole[owned[starts[same]]] = True
    return whole


def groups_of(nodes: Nodes, parts: Components) -> list[Group]:
    """Units with slices of the same tensors as groups, in the order of making."""
    component = parts.of[: nodes.count]
    free = np.flatnonzero(parts.alive[component] & (parts.reason[component] == FREE))
    if not len(free):
        return []
    first = np.full(len(parts.alive), NEVER)
    np.minimum.at(first, component[free], parts.made_at[free])
    axis = nodes.axis_of(free)
    order = np.lexsort((free, axis, first[component[free]]))
    free, axis = free[order], axis[order]
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(component[free])) + 1, [len(free)]])
    taken: dict[str, int] = {}
    groups = []
    for units in _units_by_kind(axis, bounds, len(nodes.axes)):
        width = bounds[units[0] + 1] - bounds[units[0]]
        groups.append(_group(nodes, parts, free[bounds[units][:, None] + np.arange(width)], taken))
    return groups


def _units_by_kind(axis: Numbers, bounds: Numbers, axes: int) -> list[Numbers]:
    """Units that have as many nodes on the same axes, in the order of the first of each kind.

    A kind is known by the sum of a random number an axis over a unit's nodes: comparing one number
    a unit is much faster than comparing its axes, of which one has two and another two thousand.
    With 62 bits, two kinds of millions have one sum by chance once in a million networks.
    """
    numbers = np.random.default_rng(0).integers(0, 1 << 62, axes, np.uint64)
    sums = np.add.reduceat(numbers[axis], bounds[:-1])
    _, first, kind = np.unique(sums, return_index=True, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    by_kind = np.split(order, np.flatnonzero(np.diff(kind[order])) + 1)
    return [by_kind[place] for place in np.argsort(first)]


def _group(nodes: Nodes, parts: Components, rows: Numbers, taken: dict[str, int]) -> Group:
    """A group of units, (units, nodes each); it is named after the layer that makes it."""
    axes = nodes.axis_of(rows[0])
    maker = nodes.axes[axes[np.argmin(parts.made_at[rows[0]])]][0]
    layer = layer_of(maker)
    taken[layer] = taken.get(layer, 0) + 1
    slices = []
    for number in sorted(set(axes.tolist()), key=lambda number: nodes.axes[number]):
        (tensor, axis), own = nodes.axes[number], rows[:, axes == number]
        made, read = parts.made_at[own[0, 0]] < NEVER, parts.is_read[own[0, 0]]
        role = MAKES if made and not read else READS if read and not made else FOLLOWS
        slices.append(Slice(tensor, axis, role, own - nodes.starts[number]))
    name = layer if taken[layer] == 1 else f"{layer}#{taken[layer]}"
    return Group(name, tuple(slices))
