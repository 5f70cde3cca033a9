"""Where to look at a curve: coarsely first, then where neighbours differ most."""

import math
from collections.abc import Callable
from itertools import pairwise

SparsityCurve = list[tuple[float, float]]  # sparsity and quality, in rising sparsity
COLUMNS = ("sparsity", "weights_left", "empty_layers", "quality", "quality_cut")  # of its table

COARSE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def refined_curve(
    quality_at: Callable[[float], float], evaluations: int, resolution: float, most: float
) -> SparsityCurve:
    """Sample a curve from 0 to `most` with at most so many evaluations.

    After a coarse grid, the interval whose ends differ most is halved, again and again; none is
    halved that would leave points closer than `resolution`. Losses against the first point are
    compared by their square roots, so that the onset of a loss is looked at as closely as its
    steepest part. Stops early where no neighbours differ.
    """
    grid = [*(s for s in COARSE if s < most), most]
    if evaluations < len(grid):
        every = (len(grid) - 1) / (evaluations - 1)
        grid = [grid[round(number * every)] for number in range(evaluations)]
    known = {sparsity: quality_at(sparsity) for sparsity in grid}
    while len(known) < evaluations:
        interval = _widest(known, resolution)
        if interval is None:
            break
        middle = round(sum(interval) / 2, 6)
        known[middle] = quality_at(middle)
    return sorted(known.items())


def sharpened(
    curve: SparsityCurve,
    quality_at: Callable[[float], float],
    keeps: Callable[[float], bool],
    resolution: float,
) -> SparsityCurve:
    """The curve with points added where it breaks: between the first that fails and the one before.

    That interval is halved until it is at most `resolution` wide.
    """
    known = dict(curve)
    broken = next((place for place, (_, quality) in enumerate(curve) if not keeps(quality)), None)
    if not broken:
        return curve
    low, high = curve[broken - 1][0], curve[broken][0]
    while high - low > resolution:
        middle = round((low + high) / 2, 6)
        known[middle] = quality_at(middle)
        low, high = (middle, high) if keeps(known[middle]) else (low, middle)
    return sorted(known.items())


def _widest(known: dict[float, float], resolution: float) -> tuple[float, float] | None:
    """The interval whose ends differ most, of those that may be halved."""
    dense = known[min(known)]

    def difference(interval: tuple[float, float]) -> float:
        left, right = (
            math.copysign(abs(known[s] - dense) ** 0.5, known[s] - dense) for s in interval
        )
        return abs(left - right)

    wide = [pair for pair in pairwise(sorted(known)) if pair[1] - pair[0] >= 2 * resolution]
    widest = max(wide, key=difference, default=None)
    return widest if widest and difference(widest) > 0 else None
