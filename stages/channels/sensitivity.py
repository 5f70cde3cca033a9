"""What narrowing one group alone costs in quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PARTS = (7 / 8, 3 / 4, 1 / 2, 3 / 8, 1 / 4, 1 / 8)  # of a group's units that are left
EVENLY = 1e-9  # quality per share of a group that is gone: what costs nothing goes from all alike


@dataclass(frozen=True)
class Curve:
    """Drop of quality over the units that are left of a group, `left` rising to all of them.

    Drops never fall as units go: where one was measured that is less than with more units left,
    that is noise, and so is a gain.
    """

    left: tuple[int, ...]
    drop: tuple[float, ...]

    def at(self, left: int) -> float:
        """The drop with so many units left; below what was measured it rises as it did before."""
        share = EVENLY * (1 - left / self.left[-1])
        if left >= self.left[0] or len(self.left) == 1:
            return float(np.interp(left, self.left, self.drop)) + share
        slope = (self.drop[0] - self.drop[1]) / (self.left[1] - self.left[0])
        return self.drop[0] + slope * (self.left[0] - left) + share


def widths_to_try(units: int, minimum: int) -> list[int]:
    """How many units to leave, from many to few: about six widths, none of them all."""
    tried = dict.fromkeys(max(minimum, round(part * units)) for part in PARTS)
    return [left for left in tried if left < units]


def curve_of(units: int, left: Sequence[int], drops: Sequence[float]) -> Curve:
    """A curve from drops at fewer and fewer units left."""
    rising = np.maximum.accumulate([0.0, *drops])
    return Curve((*reversed(left), units), tuple(float(drop) for drop in rising[::-1]))


def curves_from(content: Mapping[str, Any]) -> dict[str, Curve]:
    """Curves by group, as JSON has them."""
    return {
        name: Curve(tuple(one["left"]), tuple(one["drop"]))
        for name, one in content["groups"].items()
    }
