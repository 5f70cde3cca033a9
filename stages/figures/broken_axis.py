"""An axis in parts of different scale: the values that decide get most of the room."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

NARROW = 0.4  # values that decide have a part of their own where they take up less of the range
HEIGHTS = {"decides": 3.0, "rest": 1.2}
MARGIN = 0.1  # of a part's range


def broken_axes(
    size: tuple[float, float], decide: Sequence[float], values: Sequence[float]
) -> tuple[Figure, list[Axes]]:
    """Axes from top to bottom that share x; together they hold all `values`, and no gap is left.

    Whatever is drawn must be drawn in each. There is one part alone where the values that `decide`
    are not crowded.
    """
    parts = _parts(decide, values)
    heights = [HEIGHTS[kind] for kind, _, _ in parts]
    figure, grid = plt.subplots(
        len(parts), 1, figsize=size, sharex=True, squeeze=False, height_ratios=heights
    )
    column: list[Axes] = list(grid[:, 0])
    for axes, (_, low, high) in zip(column, parts, strict=True):
        axes.set_ylim(low, high)
    for upper, lower in pairwise(column):
        _mark_break(upper, lower)
    return figure, column


def inside(axes: Axes, values: Sequence[float]) -> list[int]:
    """Places of the values that a part shows: markers at others would reach over its edge."""
    low, high = axes.get_ylim()
    return [place for place, value in enumerate(values) if low <= value < high]


def _parts(decide: Sequence[float], values: Sequence[float]) -> list[tuple[str, float, float]]:
    """Kind and range of each part, from top to bottom."""
    everything = [*values, *decide]
    bottom, top = min(everything), max(everything)
    whole = MARGIN * (top - bottom or 1.0)
    span = max(decide) - min(decide)
    if span > NARROW * (top - bottom) or top == bottom:
        return [("decides", bottom - whole, top + whole)]
    margin = max(MARGIN * span, 0.01 * (top - bottom))
    low, high = min(decide) - margin, max(decide) + margin
    parts = [("decides", low, high)]
    if top > high:
        parts.insert(0, ("rest", high, top + whole))
    if bottom < low:
        parts.append(("rest", bottom - whole, low))
    return parts


def _mark_break(upper: Axes, lower: Axes) -> None:
    """Show by slanted strokes that the scale changes between two parts."""
    upper.tick_params(axis="x", bottom=False, labelbottom=False)
    stroke: dict[str, Any] = {
        "marker": [(-1, -0.6), (1, 0.6)], "ms": 9, "mew": 1.2, "ls": "none", "color": "#444444",
        "clip_on": False,
    }  # fmt: skip
    upper.plot([0, 1], [0, 0], transform=upper.transAxes, **stroke)
    lower.plot([0, 1], [1, 1], transform=lower.transAxes, **stroke)
