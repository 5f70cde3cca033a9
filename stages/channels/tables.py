"""A quantity measured over widths, and what it is between them."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Values over the lengths of a tensor's first two axes, in between linear along each.

    `axes` are the lengths in rising order, `values` are (first, second). Beyond the ends the last
    two go on, above zero.
    """

    axes: tuple[tuple[float, ...], tuple[float, ...]]
    values: tuple[tuple[float, ...], ...]

    def at(self, first: float, second: float) -> float:
        """The value for two lengths; nothing is left of a layer without one."""
        if not first or not second:
            return 0.0
        (row, down), (column, across) = _place(self.axes[0], first), _place(self.axes[1], second)
        along = [_between(self.values[i], column, across) for i in _both(self.axes[0], row)]
        return max(0.0, along[0] + down * (along[-1] - along[0]))


def table_from(content: Mapping[str, Any]) -> Table:
    """A table as JSON has it."""
    first, second = (tuple(axis) for axis in content["axes"])
    return Table((first, second), tuple(tuple(row) for row in content["values"]))


def _place(axis: Sequence[float], length: float) -> tuple[int, float]:
    """The entry that a length lies behind, and how far on the way to the next it is."""
    if len(axis) == 1:
        return 0, 0.0
    place = min(max(bisect_right(axis, length) - 1, 0), len(axis) - 2)
    return place, (length - axis[place]) / (axis[place + 1] - axis[place])


def _both(axis: Sequence[float], place: int) -> tuple[int, int]:
    return place, min(place + 1, len(axis) - 1)


def _between(row: Sequence[float], place: int, part: float) -> float:
    before, behind = row[place], row[min(place + 1, len(row) - 1)]
    return before + part * (behind - before)
