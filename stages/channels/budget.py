"""Choosing units to remove until a budget is met."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stages.channels.portions import Limits, Portion, by_loss_per_cost, portions_of
from stages.channels.prices import Prices, amount
from stages.dependency.graph import Graph
from stages.errors import UserError
from stages.networks.indices import Indices

if TYPE_CHECKING:  # they import torch, which takes longer than all that `schedule` does
    from stages.channels.importance import Importance
    from stages.channels.removal import Shapes


class _Account:
    """Lengths of all axes while portions go, and what the tensors cost."""

    def __init__(self, shapes: "Shapes", prices: Prices):
        self.lengths = {name: list(shape) for name, shape in shapes.items()}
        self.prices, self.total = prices, prices.cost(shapes)

    def move(self, portion: Portion, sign: int) -> int:
        """Shorten (-1) or lengthen (1) the axes that a portion owns; returns the cost gained."""
        owned = [part for part in portion.group.slices if part.tensor in self.lengths]
        touched = {part.tensor for part in owned}
        before = self._cost(touched)
        for part in owned:
            self.lengths[part.tensor][part.axis] += sign * part.indices[portion.units].size
        gained = round(self._cost(touched) - before)
        self.total += gained
        return gained

    def freed(self, portion: Portion) -> int:
        """What the network would cost less without a portion."""
        gained = self.move(portion, -1)
        self.move(portion, 1)
        return -gained

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

    Where the goal is time and groups compete, those units go first that lose the least for the time
    that they save. Without `prices`, parameters are counted. What the last unit frees too much is
    given back to the most important ones that fit; in scope local to none that would leave its
    group less pruned than the last unit's was before it. Where every group has a multiple of its
    own, one group ends between two, so that no more goes than must.

    Returns positions of units by group. The cost it stops at is exact: the sum over tensors of
    the product of kept axis lengths, times the price of an element.

    Raises:
        UserError: if the limits do not let so much go.
    """
    account = _Account(shapes, prices or _count_of(shapes))
    taken = _take(portions_of(graph, importance, limits), account, budget, limits)
    least = taken[-1].share_before if taken and limits.scope == "local" else 0.0
    stay = _give_back(taken, account, budget, least)
    if not isinstance(limits.round_to, int):
        stay = _split(stay, account, budget, least)
    chosen: dict[str, list[Indices]] = {}
    for portion in stay:
        chosen.setdefault(portion.group.name, []).append(portion.units)
    return {name: np.sort(np.concatenate(units)) for name, units in chosen.items()}


def smallest_reachable(
    graph: Graph, shapes: "Shapes", limits: Limits, prices: Prices | None = None
) -> int:
    """What a network costs with every group at its minimum: no target goes below."""
    account = _Account(shapes, prices or _count_of(shapes))
    alike = {group.name: np.zeros(group.units) for group in graph.groups}
    for portion in portions_of(graph, alike, limits):
        account.move(portion, -1)
    return account.total


def _take(portions: list[Portion], account: _Account, budget: int, limits: Limits) -> list[Portion]:
    """Take portions until the budget is met."""
    goal, initial, taken = account.prices.goal, account.total, list[Portion]()
    for portion in _in_order(portions, account, limits):
        if account.total <= budget:
            break
        account.move(portion, -1)
        taken.append(portion)
    if account.total > budget:
        raise UserError(
            f"pruning cannot go down to {amount(goal, budget)} of {amount(goal, initial)}: "
            f"{amount(goal, account.total)} are left with every group at its minimum; lower the "
            "target, pruning.minimum_channels or pruning.round_to, or protect less"
        )
    return taken


def _in_order(portions: list[Portion], account: _Account, limits: Limits) -> Iterator[Portion]:
    """By rising importance; where time is the goal, by what is lost for the time that is saved."""
    if account.prices.goal == "time" and limits.scope == "global":
        return by_loss_per_cost(portions, account.freed)
    return iter(portions)


def _count_of(shapes: "Shapes") -> Prices:
    return Prices("parameters", dict.fromkeys(shapes, 1.0))


def _give_back(taken: list[Portion], account: _Account, budget: int, least: float) -> list[Portion]:
    """Put back the most important portions that still fit into what the last one freed too much.

    Only the last portion taken from a group may return, so that its size stays a multiple, and
    none by which the share of its units that are gone falls below `least`.
    """
    stay: list[Portion] = []
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


def _split(stay: list[Portion], account: _Account, budget: int, least: float) -> list[Portion]:
    """Give back units of one portion, the most important that was taken last from its group.

    None fits whole, so units of one use up what is left of the budget but for less than a unit.
    """
    last = dict[str, Portion]()
    for portion in stay:
        last.setdefault(portion.group.name, portion)
    for portion in last.values():
        if portion.share_before < least:
            continue
        for back in range(len(portion.units) - 1, 0, -1):
            part = replace(portion, units=portion.units[-back:])
            account.move(part, 1)
            if account.total <= budget:
                kept = replace(portion, units=portion.units[:-back], left=portion.left + back)
                return [kept if one is portion else one for one in stay]
            account.move(part, -1)
    return stay
