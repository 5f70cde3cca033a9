"""The trade-off: which score and which sparsity, by a rule, with the reason in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stages.weights.refine import SparsityCurve

CONTROL = "random"  # drawn beside the others, never chosen


@dataclass(frozen=True)
class Decision:
    """What was decided and why, and what was refused and why."""

    score: str
    sparsity: float
    reason: str
    refused: dict[str, str]


def largest_that_keeps(
    curves: Mapping[str, SparsityCurve],
    keeps: Callable[[float], bool],
    text: Callable[[float], str],
) -> Decision:
    """The largest sparsity up to which the criterion is kept, over all scores but the control.

    `keeps` judges a quality and `text` writes one with its unit. Only points before the first that
    fails count; one further out that keeps it again is named, not taken: it may be luck. Where none
    does, sparsity is 0.
    """
    best = {score: kept_until(curve, keeps) for score, curve in curves.items()}
    score = max(_allowed(curves), key=lambda name: best[name])
    sparsity, quality = best[score]
    reason = f"{score} keeps the criterion up to sparsity {sparsity:.4f} ({text(quality)})"
    beyond = next((point for point in curves[score] if point[0] > sparsity), None)
    if beyond:
        reason += f"; the next point, {beyond[0]:.4f}, does not ({text(beyond[1])})"
    reason += _again(curves[score], best[score], keeps)
    refused = {
        other: f"keeps it up to {best[other][0]:.4f}"
        + _again(curves[other], best[other], keeps)
        + _control(other)
        for other in curves
        if other != score
    }
    return Decision(score, sparsity, reason, refused)


def kept_until(curve: SparsityCurve, keeps: Callable[[float], bool]) -> tuple[float, float]:
    """The last point before the first that does not keep the criterion; at least the first."""
    last = curve[0]
    for point in curve:
        if not keeps(point[1]):
            break
        last = point
    return last


def _again(curve: SparsityCurve, last: tuple[float, float], keeps: Callable[[float], bool]) -> str:
    """At which sparsities the criterion is kept again after the first point that fails it."""
    again = [f"{point[0]:.4f}" for point in curve if point > last and keeps(point[1])]
    if not again:
        return ""
    to = f", last at {again[-1]}" if len(again) > 1 else ""
    return f"; it is kept again at {again[0]}{to}, which is not taken: it may be luck"


def at_the_knee(curves: Mapping[str, SparsityCurve], text: Callable[[float], str]) -> Decision:
    """Each curve's knee, and of these the one that lies furthest out.

    The knee is the point furthest above the straight line between a curve's ends, both axes
    scaled to [0, 1] (Satopaa et al., "Finding a kneedle in a haystack", ICDCSW 2011).
    """
    knees = {score: knee(curve) for score, curve in curves.items()}
    score = max(_allowed(curves), key=lambda name: knees[name][1])
    (sparsity, quality), height = knees[score]
    reason = (
        f"the knee of {score} is at sparsity {sparsity:.4f} ({text(quality)}), "
        f"{height:.3f} above the line between the ends of its curve"
    )
    refused = {
        other: f"its knee, at {point[0]:.4f}, is {far:.3f} above its line" + _control(other)
        for other, (point, far) in knees.items()
        if other != score
    }
    return Decision(score, sparsity, reason, refused)


def as_given(score: str, sparsity: float, scores: Mapping[str, SparsityCurve]) -> Decision:
    """What the user asked for."""
    refused = {other: "not asked for" for other in scores if other != score}
    return Decision(score, sparsity, f"{score} at sparsity {sparsity:.4f} was asked for", refused)


def knee(curve: SparsityCurve) -> tuple[tuple[float, float], float]:
    """The knee of a falling or rising curve, and how far it is from the line, in [0, 1]."""
    (first, start), (last, end) = curve[0], curve[-1]
    if start == end or first == last:
        return curve[0], 0.0

    def height(point: tuple[float, float]) -> float:
        return (end - point[1]) / (end - start) - (last - point[0]) / (last - first)

    best = max(curve, key=height)
    return best, height(best)


def _allowed(curves: Mapping[str, SparsityCurve]) -> list[str]:
    """Scores that may be chosen: all but the control, unless there is no other."""
    return [score for score in curves if score != CONTROL] or list(curves)


def _control(score: str) -> str:
    return " (a control, never chosen)" if score == CONTROL else ""
