"""What a smaller network does otherwise than the whole one did, by their label flows."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from stages.dependency.flow import Flow, View
from stages.dependency.nodes import Nodes, Numbers
from stages.dependency.units import Components

BREAKS = "the network breaks without it"
MOVES = "removing it changes what the network computes"
OTHERS = "channels take the places of others"


@dataclass(frozen=True)
class Problem:
    """What went wrong in a trial, and the tensors around the place, where that is known."""

    reason: str
    blamed: Collection[str] = ()


def difference(flow: Flow, whole: Flow, nodes: Nodes, parts: Components) -> Problem | None:
    """The first sign that the smaller network is not the whole one without some units, if any."""
    for now, before in zip(flow.output_shapes, whole.output_shapes, strict=False):
        if now != before:
            return Problem(f"{BREAKS}: the output is {now}, not {before}")
    if len(flow.output_shapes) != len(whole.output_shapes):
        return Problem(f"{BREAKS}: it gives {len(flow.output_shapes)} tensors")
    if flow.constants != whole.constants:
        return Problem(f"{MOVES}: it counts its channels")
    if not _same_views(whole.view_shapes, flow.view_shapes):
        return Problem(f"{MOVES}: a view cuts channels elsewhere")
    if len(flow.slices) != len(whole.slices):
        return Problem(f"{MOVES}: {OTHERS}")
    leaked = _leaked_nodes(flow, whole.slices, parts)
    if len(leaked):
        blamed = {nodes.axes[axis][0] for axis in nodes.axis_of(leaked)}
        return Problem(f"{MOVES}: {OTHERS}", blamed)
    return None


def _same_views(before: list[View], now: list[View]) -> bool:
    """Whether views got shorter only along axes along which nodes differed."""
    return all(
        len(old) == len(new)
        and all(old[axis] == new[axis] for axis in range(len(old)) if axis not in axes)
        for (old, axes), (new, _) in zip(before, now, strict=False)
    )


def _leaked_nodes(flow: Flow, slices: list[Numbers], parts: Components) -> Numbers:
    """Nodes that met others, or were frozen, though they were free of each other in the whole
    network, or that are in a slice that did not hold them."""
    found = [np.empty(0, np.int64)]
    for pair in flow.pairs:
        first, second = parts.of[pair]
        apart = parts.alive[first] & parts.alive[second] & (first != second)
        found.append(pair[:, apart].ravel())
    free = parts.alive & (parts.reason == 0)
    found += [nodes[free[parts.of[nodes]]] for nodes, _ in flow.frozen]
    found += [
        now[~np.isin(parts.of[now], parts.of[before])]
        for before, now in zip(slices, flow.slices, strict=True)
    ]
    leaked = np.concatenate(found)
    return leaked[leaked < len(parts.of) - 1]  # the last node stands for the input
