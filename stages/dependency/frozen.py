"""What stays, and why: every index of every tensor that is in no group that may be removed."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.dependency.graph import POSITIONS, Frozen, Graph, Group
from stages.dependency.nodes import Nodes, Numbers
from stages.dependency.rules.registry import ANOTHER_AXIS
from stages.dependency.units import FREE, UNMADE, Components

NO_CHANNELS = "no layer makes or reads it as channels"
NEVER_RUN = "neither evaluation nor training runs it"

SHOWN = 3  # axes that a line names


def frozen_axes(
    nodes: Nodes,
    parts: Components,
    seen: Collection[str],
    groups: Sequence[Group],
    failed: Mapping[str, str],
) -> tuple[Frozen, ...]:
    """All that no group may lose: axis by axis, how many indices stay for which reason.

    `seen` are the tensors that some run used; `failed` are the groups that stay, with reasons.
    With the groups that are left, every index of every axis is owned once.
    """
    reasons = [*parts.reasons, POSITIONS, NO_CHANNELS, NEVER_RUN, *failed.values()]
    axis = np.repeat(np.arange(len(nodes.axes)), nodes.lengths)
    why = _by_couplings(nodes, parts, axis, reasons)
    unseen = np.array([name not in seen for name, _ in nodes.axes], np.bool_)
    why[unseen[axis]] = reasons.index(NEVER_RUN)
    owned = np.zeros(nodes.count, np.bool_)
    for group in groups:
        for part in group.slices:
            own = nodes.numbers(part.tensor, part.axis, part.indices)
            if group.name in failed:
                why[own] = reasons.index(failed[group.name])
            owned[own] = group.name not in failed
    assert bool((owned == (why == FREE)).all()), "an index is in a group, or stays for a reason"
    return _counted(nodes, axis[~owned], why[~owned], reasons)


def _by_couplings(
    nodes: Nodes, parts: Components, axis: Numbers, reasons: Sequence[str]
) -> Numbers:
    """For each node a place in `reasons`, by what it is coupled with and lies beside; or FREE."""
    of = parts.of[: nodes.count]
    why, alive = parts.reason[of], parts.alive[of]
    # No contraction touches these, and no rule froze them: being unmade is no reason here.
    silent = ~alive & (why == UNMADE)
    why[silent] = reasons.index(NO_CHANNELS)
    why[silent & _beside_channels(nodes, axis, alive)[axis]] = reasons.index(POSITIONS)
    if ANOTHER_AXIS in reasons:  # true of embedded positions, but less than there is to say
        embedded = ~alive & (why == reasons.index(ANOTHER_AXIS))
        wide = alive & (nodes.lengths > 1)[axis]
        why[embedded & _beside_channels(nodes, axis, wide)[axis]] = reasons.index(POSITIONS)
    return why


def _beside_channels(nodes: Nodes, axis: Numbers, alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each axis, whether another of the same tensor holds channels, and it does not."""
    holds = np.bincount(axis, weights=alive, minlength=len(nodes.axes)) > 0
    tensors = {nodes.axes[number][0] for number in np.flatnonzero(holds)}
    return np.array([name in tensors for name, _ in nodes.axes], np.bool_) & ~holds


def _counted(
    nodes: Nodes, axis: Numbers, why: Numbers, reasons: Sequence[str]
) -> tuple[Frozen, ...]:
    """How many indices of each axis stay for each reason, axis by axis."""
    pairs, counts = np.unique(axis * len(reasons) + why, return_counts=True)
    found = []
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        tensor, number = nodes.axes[pair // len(reasons)]
        found.append(Frozen(tensor, number, count, reasons[pair % len(reasons)]))
    return tuple(found)


def frozen_lines(graph: Graph) -> list[str]:
    """A line a reason: some of the axes that it keeps, and how many more; positions last.

    Reasons that differ in numbers alone, as those of equal blocks do, share a line.
    """
    by_reason: dict[str, list[Frozen]] = defaultdict(list)
    for frozen in graph.frozen:
        by_reason[re.sub(r"\d+", "#", frozen.reason)].append(frozen)
    lines = []
    for alike in sorted(by_reason.values(), key=lambda alike: alike[0].reason == POSITIONS):
        axes = [f"{frozen.tensor} axis {frozen.axis} ({frozen.count})" for frozen in alike[:SHOWN]]
        more = f" and {len(alike) - SHOWN} more" if len(alike) > SHOWN else ""
        lines.append(f"frozen: {alike[0].reason}: {', '.join(axes)}{more}")
    return lines
