"""Where code takes another way at other widths: comparisons that may be answered otherwise once
channels are gone, each tried at widths at which they are.

Trials at other widths miss what happens at one width alone, such as that of another layer.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stages.dependency.graph import Group
from stages.dependency.nodes import Nodes, Numbers
from stages.dependency.units import Components
from stages.dependency.widths import Comparison

TURNS = "removing it changes what the network computes: code takes another way at other widths"
MOST = 1 << 16  # combinations of widths that are looked at

Left = Mapping[str, int]  # how many units of some groups are left


@dataclass(frozen=True)
class Turn:
    """A comparison, units of groups at which it is answered otherwise, and a group that stops it
    by staying."""

    comparison: Comparison
    left: Left
    stopped_by: str


def turns(
    asked: Sequence[Comparison], groups: Sequence[Group], nodes: Nodes, parts: Components
) -> Iterator[Turn]:
    """Comparisons that may be answered otherwise without some units of `groups`."""
    counted = _Counted(groups, nodes, parts)
    for comparison in asked:
        numbers = counted.groups_in(comparison)
        if numbers and (left := _turned(comparison, numbers, counted)):
            last = [n for n in reversed(numbers) if not _turned(comparison, [
                other for other in numbers if other != n], counted)]  # fmt: skip
            stopped_by = groups[(last or numbers[::-1])[0]].name
            yield Turn(comparison, left, stopped_by)


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

    def groups_in(self, comparison: Comparison) -> list[int]:
        found = np.zeros(len(self.groups), np.bool_)

        def count(nodes: Numbers) -> int:
            np.logical_or(found, self.of_nodes(nodes) > 0, out=found)
            return len(nodes)

        comparison.answered(count)
        return np.flatnonzero(found).tolist()


def _turned(comparison: Comparison, numbers: Sequence[int], counted: _Counted) -> Left | None:
    """Units left of these groups, all others whole, at which the answer is another.

    Of several, those with two units or more, and with the most of them: there, little else is
    different.
    """
    units = counted.units[list(numbers)]
    left = _combinations(tuple(units.tolist()))

    def count(nodes: Numbers) -> NDArray[np.int64]:
        own = counted.of_nodes(nodes)[list(numbers)]
        gone = (own[:, None] * (units[:, None] - left)) // units[:, None]
        return np.asarray(len(nodes) - gone.sum(0))

    with np.errstate(all="ignore"):  # code may divide by a width that is never zero
        answers = np.broadcast_to(comparison.answered(count), left.shape[1:])
    turned = np.flatnonzero(answers.astype(np.bool_) != comparison.answer)
    if not len(turned):
        return None
    found = left[:, turned]
    wide = (found >= np.minimum(2, units)[:, None]).all(0)
    best = found[:, np.argmax(wide * len(units) + (found / units[:, None]).sum(0))]
    return {counted.groups[n].name: int(k) for n, k in zip(numbers, best, strict=True)}


@cache
def _combinations(units: tuple[int, ...]) -> NDArray[np.int64]:
    """Numbers of units left, (groups, combinations): all, or many at random, small ones too."""
    if math.prod(units) <= MOST:
        return np.indices(units).reshape(len(units), math.prod(units)) + 1
    drawn = np.random.default_rng(0).random((len(units), MOST))
    most = np.array(units)[:, None]
    drawn[:, ::2] *= most
    drawn[:, 1::2] = most ** drawn[:, 1::2]
    return np.clip(np.ceil(drawn), 1, most).astype(np.int64)
