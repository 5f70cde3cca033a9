"""The adaptive sweep finds where a network breaks, with few evaluations."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from stages.weights.refine import refined_curve, sharpened

GRID = np.linspace(0, 0.999, 200)
STEP = float(GRID[1])


def step(at: float) -> Callable[[float], float]:
    return lambda sparsity: 0.95 if sparsity < at else 0.1


def slope(at: float) -> Callable[[float], float]:
    return lambda sparsity: 0.1 + 0.85 / (1 + math.exp((sparsity - at) / 0.01))


def gentle(at: float) -> Callable[[float], float]:
    """Loses slowly at first: the criterion falls where the curve is still flat."""
    return lambda sparsity: 0.95 - 0.85 * (sparsity / at) ** 6 if sparsity < at else 0.1


def breaks(curve: list[tuple[float, float]], limit: float) -> float:
    """The largest sparsity before the first point below the limit."""
    kept = 0.0
    for sparsity, quality in curve:
        if quality < limit:
            break
        kept = sparsity
    return kept


@pytest.mark.parametrize(("shape", "within"), [(step, STEP), (slope, STEP), (gentle, 3 * STEP)])
@pytest.mark.parametrize("at", [0.05, 0.13, 0.5, 0.77, 0.9, 0.985, 0.99])
@pytest.mark.parametrize("limit", [0.9, 0.5])
def test_the_break_is_found_as_by_200_points_with_a_quarter_of_them(
    shape: Callable[[float], Callable[[float], float]], within: float, at: float, limit: float
) -> None:
    quality_at, asked = shape(at), []

    def counted(sparsity: float) -> float:
        asked.append(sparsity)
        return quality_at(sparsity)

    curve = refined_curve(counted, 50, 0.002, 0.999)
    assert len(asked) <= len(GRID) / 4
    reference = breaks([(float(s), quality_at(float(s))) for s in GRID], limit)
    assert breaks(curve, limit) == pytest.approx(reference, abs=1.001 * within)


def test_bounds_are_kept() -> None:
    rng = np.random.default_rng(0)
    curve = refined_curve(lambda _: float(rng.random()), 60, 0.004, 0.99)
    places = [sparsity for sparsity, _ in curve]
    assert len(curve) <= 60
    assert (places[0], places[-1]) == (0.0, 0.99)
    coarse = {0.0, 0.95, 0.99}
    for one, other in pairwise(places):
        assert other - one >= 0.004 or {one, other} <= coarse


@pytest.mark.parametrize("evaluations", [3, 5, 12, 13])
def test_few_evaluations_still_reach_both_ends(evaluations: int) -> None:
    curve = refined_curve(step(0.5), evaluations, 0.002, 0.999)
    assert len(curve) == evaluations
    assert (curve[0][0], curve[-1][0]) == (0.0, 0.999)


def test_a_flat_curve_costs_the_coarse_grid_alone() -> None:
    assert len(refined_curve(lambda _: 0.5, 100, 0.002, 0.999)) == 13


@pytest.mark.parametrize("at", [0.05, 0.34567, 0.97])
def test_the_crossing_of_a_limit_is_found_to_the_resolution(at: float) -> None:
    def quality_at(sparsity: float) -> float:
        return 1 - 0.02 * sparsity if sparsity < at else 0.97

    coarse = [(s, quality_at(s)) for s in (0.0, 0.3, 0.6, 0.999)]
    sharp = sharpened(coarse, quality_at, lambda quality: quality > 0.975, 0.002)
    assert set(coarse) <= set(sharp)
    assert 0 <= at - breaks(sharp, 0.975) <= 0.002


def test_a_curve_that_never_breaks_is_left_alone() -> None:
    curve = [(0.0, 0.9), (0.999, 0.9)]
    assert sharpened(curve, pytest.fail, lambda _: True, 0.002) == curve
