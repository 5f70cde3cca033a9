"""Quality against parameters left."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from stages.figures.theme import BASELINE, DENSE, LIMIT, PRUNED, SPARSE


def quality_figure(
    records: Mapping[str, Mapping[str, Any]], axis: str, limit: float, baseline_name: str
) -> Figure:
    """Quality on validation of every step before and after recovery, over the share left.

    `axis` labels quality with its unit; `limit` is the worst quality that keeps the criterion.
    """
    first = next(iter(records.values()))
    done = {step: record for step, record in records.items() if not record["passed_on"]}
    left = [1.0] + [record["share_left"] for record in done.values()]
    after = [first["dense_quality"]] + [record["quality"] for record in done.values()]
    figure, axes = plt.subplots(figsize=(8, 5))
    axes.axhline(first["dense_quality"], color=DENSE, lw=1.2, label="dense")
    axes.axhline(limit, color=LIMIT, ls="--", lw=1.2, label="criterion")
    axes.axhline(first["baseline_quality"], color=BASELINE, ls=":", lw=1.6, label=baseline_name)
    learned, cut = (
        [record["removal"][key] for record in done.values()]
        for key in ("quality_before", "quality_after")
    )
    axes.plot(left[1:], learned, "^", color=SPARSE, ms=7, label="after sparsity learning")
    axes.plot(left[1:], cut, "v:", color=SPARSE, ms=8, lw=1, label="after removal, before recovery")
    axes.plot(left, after, "o-", color=PRUNED, ms=7, label="after recovery")
    for step, share, quality in zip(done, left[1:], after[1:], strict=True):
        axes.annotate(step, (share, quality), (0, 9), textcoords="offset points", ha="center")
    axes.set(xlabel="share of parameters left", ylabel=axis, title="Quality by parameters left")
    axes.set_xlim(1.04, max(0.0, min(left) - 0.06))
    low, high = _range([*after, limit, first["baseline_quality"], *learned, *cut])
    axes.set_ylim(low, high)
    axes.legend(loc="best", fontsize=9)
    return figure


def _range(values: Sequence[float]) -> tuple[float, float]:
    margin = 0.08 * (max(values) - min(values) or 1.0)
    return min(values) - margin, max(values) + 1.5 * margin
