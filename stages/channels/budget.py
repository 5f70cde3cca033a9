"""Choosing units to remove, in rising importance, until a budget is met."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from stages.channels.prices import Prices
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


class _Account:
    """Lengths of all axes while portions go, and what the tensors cost."""

    def __init__(self, shapes: "Shapes", prices: Prices):
        self.lengths = {name: list(shape) for name, shape in shapes.items()}
        self.prices, self.total = prices, prices.cost(shapes)

    def move(self, portion: _Portion, sign: int) -> int:
        """Shorten (-1) or lengthen (1) the axes that a portion owns; returns the cost gained."""
        owned = [part for part in portion.group.slices if part.tensor in self.lengths]
        touched = {part.tensor for part in owned}
        before = self._cost(touched)
        for part in owned:
            self.lengths[part.tensor][part.axis] += sign * part.indices[portion.units].size
        gained = round(self._cost(touched) - before)
        self.total += gained
        return gained

    def _cost(self, names: set[str]) -> float:
        return sum(self.prices.of(name, tuple(self.lengths[name])) for name in names)


def budget_for(target: float, initial: int) -> int:
    """What may be left once the share `target` of `initial` is removed."""
    return initial - int(np.ceil(target * initial - 1e-9))


def choose_units(
    graph: Graph,
    importance: "Importance",
    shapes: "Shapes",
    budget: int,
    limits: Limits,
    prices: Prices | None = None,
) -> dict[str, Indices]:
    """Take units in rising importance until what is left costs at most `budget`.

    Without `prices`, parameters are counted. What the last unit frees too much is given back to the
    most important ones that fit; in scope local to none that would leave its group less pruned than
    the last unit's was before it.

    Returns positions of units by group. The cost it stops at is exact: the sum over tensors of
    the product of kept axis lengths, times the price of an element.

    Raises:
        UserError: if the limits do not let so much go.
    """
    account = _Account(shapes, prices or _count_of(shapes))
    initial, taken = account.total, list[_Portion]()
    for portion in _portions(graph, importance, limits):
        if account.total <= budget:
            break
        account.move(portion, -1)
        taken.append(portion)
    if account.total > budget:
        raise UserError(
            f"pruning cannot go down to {budget} of {initial} {account.prices.goal}: "
            f"{account.total} are left with every group at its minimum; lower the target or "
            "pruning.minimum_channels, or protect less"
        )
    chosen: dict[str, list[Indices]] = {}
    least = taken[-1].share_before if taken and limits.scope == "local" else 0.0
    for portion in _give_back(taken, account, budget, least):
        chosen.setdefault(portion.group.name, []).append(portion.units)
    return {name: np.sort(np.concatenate(units)) for name, units in chosen.items()}


def smallest_reachable(
    graph: Graph, shapes: "Shapes", limits: Limits, prices: Prices | None = None
) -> int:
    """What a network costs with every group at its minimum: no target goes below."""
    account = _Account(shapes, prices or _count_of(shapes))
    alike = {group.name: np.zeros(group.units) for group in graph.groups}
    for portion in _portions(graph, alike, limits):
        account.move(portion, -1)
    return account.total


def _count_of(shapes: "Shapes") -> Prices:
    return Prices("parameters", dict.fromkeys(shapes, 1.0))


def _give_back(
    taken: list[_Portion], account: _Account, budget: int, least: float
) -> list[_Portion]:
    """Put back the most important portions that still fit into what the last one freed too much.

    Only the last portion taken from a group may return, so that its size stays a multiple, and
    none by which the share of its units that are gone falls below `least`.
    """
    stay: list[_Portion] = []
    closed: set[str] = set()
    for portion in reversed(taken):
        stays = portion.group.name in closed or portion.share_before < least
        gained = 0 if stays else account.move(portion, 1)
        if gained and account.total <= budget:
            continue
        if gained:
            account.move(portion, -1)
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
