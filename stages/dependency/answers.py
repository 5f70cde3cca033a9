"""Which comparisons in the code may be answered otherwise once channels are gone, and at which
widths."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stages.dependency.graph import Group
from stages.dependency.nodes import Nodes, Numbers
from stages.dependency.units import Components
from stages.dependency.widths import Comparison

MOST = 1 << 16  # combinations of widths that are looked at

Left = Mapping[str, int]  # how many units of some groups are left


@dataclass(frozen=True)
class Turn:
    """A comparison; units of groups at which it is answered otherwise; others, fewer than all, at
    which it is not, if there are any; and a group that stops it by staying."""

    comparison: Comparison
    turned: Left
    control: Left
    stopped_by: str


def turns(
    asked: Sequence[Comparison], groups: Sequence[Group], nodes: Nodes, parts: Components
) -> Iterator[Turn]:
    """Comparisons that may be answered otherwise without some units of `groups`."""
    counted, known = _Counted(groups, nodes, parts), set()
    for comparison in asked:
        numbers, key = counted.groups_in(comparison)
        if key in known:  # as in a loop
            continue
        known.add(key)
        if numbers and (turned := _left(comparison, numbers, counted, turned=True)):
            changed = [n for n in numbers if turned[groups[n].name] < groups[n].units]
            control = _left(comparison, changed, counted, turned=False)
            stopped_by = groups[_stopping(comparison, numbers, counted)].name
            yield Turn(comparison, turned, control, stopped_by)


def _stopping(comparison: Comparison, numbers: list[int], counted: "_Counted") -> int:
    """The last of the groups without which nothing turns; where it takes several, the last."""
    for number in reversed(numbers):
        others = [other for other in numbers if other != number]
        if not others or not _left(comparison, others, counted, turned=True):
            return number
    return numbers[-1]


class _Counted:
    """Which groups nodes belong to, by their components."""

    def __init__(self, groups: Sequence[Group], nodes: Nodes, parts: Components):
        self.groups, self.of = groups, parts.of
        self.units = np.array([group.units for group in groups], np.int64)
        self._group = np.full(len(parts.alive), -1)
        for number, group in enumerate(groups):
            part = group.slices[0]
            own = nodes.numbers(part.tensor, part.axis, part.indices)
            self._group[parts.of[own]] = number

    def of_nodes(self, nodes: Numbers) -> Numbers:
        """How many of these nodes each group holds."""
        own = self._group[self.of[nodes[nodes >= 0]]]
        return np.bincount(own[own >= 0], minlength=len(self.groups))

    def groups_in(self, comparison: Comparison) -> tuple[list[int], object]:
        """The groups that a comparison counts; and a key, the same for the same comparison."""
        held: list[Numbers] = []

        def count(nodes: Numbers) -> int:
            held.append(self.of_nodes(nodes))
            return len(nodes)

        values = comparison.left(count), comparison.right(count)
        key = comparison.place, *values, *(own.tobytes() for own in held)
        return np.flatnonzero(np.any(held, axis=0)).tolist(), key


def _left(comparison: Comparison, numbers: list[int], counted: _Counted, turned: bool) -> Left:
    """Units left of these groups, all others whole, at which the answer is another, or (with fewer
    than all units of each) the same; empty if there are none.

    Of several, those with two units or more, and with the most of them: there, little else is
    different.
    """
    units = counted.units[numbers]
    left = _combinations(tuple(units.tolist()))

    def count(nodes: Numbers) -> NDArray[np.int64]:
        own = counted.of_nodes(nodes)[numbers]
        gone = (own[:, None] * (units[:, None] - left)) // units[:, None]
        return np.asarray(len(nodes) - gone.sum(0))

    with np.errstate(all="ignore"):  # code may divide by a width that is never zero
        answers = np.broadcast_to(comparison.answered(count), left.shape[1:]).astype(np.bool_)
    fitting = answers != comparison.answer
    if not turned:
        fitting = ~fitting & (left < units[:, None]).all(0)
    found = left[:, fitting]
    if not found.size:
        return {}
    wide = (found >= np.minimum(2, units)[:, None]).all(0)
    best = found[:, np.argmax(wide * len(units) + (found / units[:, None]).sum(0))]
    return {counted.groups[n].name: int(k) for n, k in zip(numbers, best, strict=True)}


@lru_cache(64)
def _combinations(units: tuple[int, ...]) -> NDArray[np.int64]:
    """Numbers of units left, (groups, combinations): all, or many at random, small ones too."""
    if math.prod(units) <= MOST:
        return np.indices(units).reshape(len(units), math.prod(units)) + 1
    drawn = np.random.default_rng(0).random((len(units), MOST))
    most = np.array(units)[:, None]
    drawn[:, ::2] *= most
    drawn[:, 1::2] = most ** drawn[:, 1::2]
    return np.clip(np.ceil(drawn), 1, most).astype(np.int64)
