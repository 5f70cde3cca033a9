"""Quality against parameters left."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.figures.broken_axis import broken_axes, inside
from stages.figures.theme import BASELINE, DENSE, LIMIT, PRUNED, SPARSE

NEAR = 4.0  # times what may be lost: a step further off than that does not decide


def quality_figure(
    records: Mapping[str, Mapping[str, Any]], axis: str, limit: float, baseline_name: str
) -> Figure:
    """Quality on validation of every step before and after recovery, over the share left.

    `axis` labels quality with its unit; `limit` is the worst quality that keeps the criterion. What
    lies near it has most of the axis.
    """
    first = next(iter(records.values()))
    dense, baseline = first["dense_quality"], first["baseline_quality"]
    done = {step: record for step, record in records.items() if not record["passed_on"]}
    after = [dense, *(record["quality"] for record in done.values())]
    way = [record["removal"][key] for record in done.values()
           for key in ("quality_before", "quality_after", "quality_repaired")]  # fmt: skip
    made = [*after, *(value for value in way if value is not None)]
    near = [q for q in made if abs(q - limit) <= NEAR * abs(dense - limit)]
    figure, parts = broken_axes((9, 5.2), [dense, limit, *near], [baseline, *made])
    for axes in parts:
        axes.axhline(dense, color=DENSE, lw=1.2, label="dense")
        axes.axhline(limit, color=LIMIT, ls="--", lw=1.2, label="criterion")
        axes.axhline(baseline, color=BASELINE, ls=":", lw=1.6, label=baseline_name)
        _draw_steps(axes, done, after)
    shares = [1.0, *(record["share_left"] for record in done.values())]
    parts[0].set_title("Quality by parameters left")
    parts[-1].set_xlabel("share of parameters left")
    parts[-1].set_xlim(1.04, max(0.0, min(shares) - 0.06))
    max(parts, key=lambda axes: axes.get_position().height).set_ylabel(axis)
    figure.legend(*parts[0].get_legend_handles_labels(), loc="outside right upper", fontsize=9)
    return figure


def _draw_steps(axes: Axes, done: Mapping[str, Mapping[str, Any]], after: Sequence[float]) -> None:
    left = [record["share_left"] for record in done.values()]
    before, cut, repaired = (
        [record["removal"][key] for record in done.values()]
        for key in ("quality_before", "quality_after", "quality_repaired")
    )
    drawn = [
        (left, before, "^", SPARSE, "before removal"),
        (left, cut, "v:", SPARSE, "after removal"),
        (left, repaired, "D--", DENSE, "after repair"),
        ([1.0, *left], after, "o-", PRUNED, "after recovery"),
    ]
    for shares, values, style, colour, label in drawn:
        if None in values:
            continue
        marked = inside(axes, values)
        axes.plot(shares, values, style, color=colour, ms=7, label=label, markevery=marked)
    for place in inside(axes, after[1:]):
        at = left[place], after[1:][place]
        axes.annotate(list(done)[place], at, (0, 9), textcoords="offset points", ha="center")
