"""Choosing units to remove, in rising importance, until a parameter budget is met."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from stages.dependency.graph import Graph, Group
from stages.errors import UserError
from stages.networks.indices import Indices

if TYPE_CHECKING:  # they import torch, which takes longer than all that `schedule` does
    from stages.channels.importance import Importance
    from stages.channels.removal import Shapes


@dataclass(frozen=True)
class Limits:
    """What choosing must respect.

    `scope` global lets groups compete; local takes the same share of each. No group keeps fewer
    than `minimum` units, and what goes goes in multiples of `round_to` (the first removal also
    takes the odd rest). Groups that own a slice of a layer matching a pattern in `protect` stay.
    """

    scope: Literal["global", "local"] = "global"
    minimum: int = 1
    round_to: int = 1
    protect: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Portion:
    key: float
    group: Group
    units: Indices
    left: int

    @property
    def share_before(self) -> float:
        """Share of the group's units that is gone before this portion goes."""
        return 1 - (self.left + len(self.units)) / self.group.units


def budget_for(target: float, initial: int) -> int:
    """Parameters that may be left once the share `target` of `initial` is removed."""
    return initial - int(np.ceil(target * initial - 1e-9))


def choose_units(
    graph: Graph, importance: "Importance", shapes: "Shapes", budget: int, limits: Limits
) -> dict[str, Indices]:
    """Take units in rising importance until at most `budget` parameters are left.

    What the last unit frees too much is given back to the most important ones that fit; in scope
    local to none that would leave its group less pruned than the last unit's was before it.

    Returns positions of units by group. The count it stops at is exact: the sum over tensors of
    the product of kept axis lengths.

    Raises:
        UserError: if the limits do not let so many parameters go.
    """
    lengths = {name: list(shape) for name, shape in shapes.items()}
    total = sum(_size(shape) for shape in lengths.values())
    taken: list[_Portion] = []
    for portion in _portions(graph, importance, limits):
        if total <= budget:
            break
        total += _move(portion, lengths, -1)
        taken.append(portion)
    if total > budget:
        initial = sum(_size(shape) for shape in shapes.values())
        raise UserError(
            f"pruning cannot go down to {budget} of {initial} parameters: {total} are left with "
            "every group at its minimum; lower the target or pruning.minimum_channels, or "
            "protect less"
        )
    chosen: dict[str, list[Indices]] = {}
    least = taken[-1].share_before if taken and limits.scope == "local" else 0.0
    for portion in _give_back(taken, lengths, budget - total, least):
        chosen.setdefault(portion.group.name, []).append(portion.units)
    return {name: np.sort(np.concatenate(units)) for name, units in chosen.items()}


def smallest_reachable(graph: Graph, shapes: "Shapes", limits: Limits) -> int:
    """Parameters that are left with every group at its minimum: no target goes below."""
    lengths = {name: list(shape) for name, shape in shapes.items()}
    alike = {group.name: np.zeros(group.units) for group in graph.groups}
    for portion in _portions(graph, alike, limits):
        _move(portion, lengths, -1)
    return sum(_size(shape) for shape in lengths.values())


def _give_back(
    taken: list[_Portion], lengths: dict[str, list[int]], spare: int, least: float
) -> list[_Portion]:
    """Put back the most important portions that still fit into what the last one freed too much.

    Only the last portion taken from a group may return, so that its size stays a multiple, and
    none by which the share of its units that are gone falls below `least`.
    """
    stay: list[_Portion] = []
    closed: set[str] = set()
    for portion in reversed(taken):
        stays = portion.group.name in closed or portion.share_before < least
        size = 0 if stays else _move(portion, lengths, 1)
        if 0 < size <= spare:
            spare -= size
            continue
        if size:
            _move(portion, lengths, -1)
        closed.add(portion.group.name)
        stay.append(portion)
    return stay


def is_protected(group: Group, patterns: Sequence[str]) -> bool:
    """Whether the group owns a slice of a tensor whose layer or full name matches a pattern."""
    return any(
        fnmatch.fnmatchcase(name, pattern)
        for part in group.slices
        for name in (part.tensor, part.tensor.rpartition(".")[0])
        for pattern in patterns
    )


def _portions(graph: Graph, importance: "Importance", limits: Limits) -> list[_Portion]:
    portions = []
    for group in graph.groups:
        if is_protected(group, limits.protect):
            continue
        order = np.argsort(importance[group.name], kind="stable")
        start = 0
        while start < group.units:
            size = (group.units - start) % limits.round_to or limits.round_to
            units, left = order[start : start + size], group.units - start - size
            if left < limits.minimum:
                break
            key = float(importance[group.name][units].max())
            if limits.scope == "local":
                key = (start + size) / group.units
            portions.append(_Portion(key, group, units, left))
            start += size
    return sorted(portions, key=lambda portion: portion.key)


def _move(portion: _Portion, lengths: dict[str, list[int]], sign: int) -> int:
    """Shorten (-1) or lengthen (1) the axes the portion owns; returns the parameters gained."""
    owned = [part for part in portion.group.slices if part.tensor in lengths]
    touched = {part.tensor for part in owned}
    before = sum(_size(lengths[name]) for name in touched)
    for part in owned:
        lengths[part.tensor][part.axis] += sign * part.indices[portion.units].size
    return sum(_size(lengths[name]) for name in touched) - before


def _size(shape: Sequence[int]) -> int:
    return int(np.prod([1, *shape]))
