"""Training curves of all phases, one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.figures.theme import PALETTE


@dataclass(frozen=True)
class TrainingCurve:
    """A phase of training: what kind it is, its step, and its history's columns."""

    kind: str
    step: str
    iterations: Sequence[int]
    losses: Sequence[float | None]
    qualities: Sequence[float]


def curves_from(
    histories: Sequence[tuple[str, str, Sequence[Mapping[str, str]]]], quality: str
) -> list[TrainingCurve]:
    """Read (kind, step, rows of a history) as curves; `quality` names a column."""
    curves = []
    for kind, step, rows in histories:
        curves.append(
            TrainingCurve(
                kind,
                step,
                [int(row["iteration"]) for row in rows],
                [float(row["loss"]) if row["loss"] else None for row in rows],
                [float(row[quality]) for row in rows],
            )
        )
    return curves


def curves_figure(curves: Sequence[TrainingCurve], axis: str) -> Figure:
    """Quality on validation (above) and training loss (below) over all iterations so far."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, height_ratios=(3, 2))
    start, named = 0, set()
    for curve in curves:
        label = None if curve.kind in named else curve.kind
        named.add(curve.kind)
        places = [start + iteration for iteration in curve.iterations]
        colour = PALETTE[curve.kind]
        above.plot(places, curve.qualities, ".-", color=colour, label=label)
        trained = [
            (p, loss) for p, loss in zip(places, curve.losses, strict=True) if loss is not None
        ]
        if trained:
            below.plot(*zip(*trained, strict=True), ".-", color=colour)
        start = places[-1]
        for axes in (above, below):
            axes.axvline(start, color="#cccccc", lw=0.8)
    _focus(above, [q for curve in curves for q in curve.qualities[1:]])
    above.set(ylabel=axis, title="Training: validation quality and loss through all phases")
    above.legend(loc="lower right", fontsize=9)
    below.set(xlabel="iterations", ylabel="training loss", yscale="log")
    return figure


def _focus(axes: Axes, values: Sequence[float]) -> None:
    """Leave untrained starts out of the range, so that differences between phases show."""
    if not values:
        return
    margin = 0.1 * (max(values) - min(values) or 1.0)
    axes.set_ylim(min(values) - margin, max(values) + margin)
