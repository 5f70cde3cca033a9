"""Figures of weight pruning: quality against sparsity, sparsity of every layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from stages.figures.theme import BASELINE, DENSE, LIMIT, PRUNED, SPARSE

SparsityCurves = Mapping[str, Sequence[Sequence[float]]]  # (sparsity, quality) pairs by score

COLOURS = {"magnitude": DENSE, "synflow": PRUNED, "gradient": SPARSE, "random": BASELINE}


def sweep_figure(
    curves: SparsityCurves,
    axis: str,
    limit: float,
    decision: Mapping[str, Any],
    zoom: bool,
) -> Figure:
    """Quality over sparsity by every score, with the criterion and the decision.

    With `zoom`, only where the decided score breaks is shown, and quality near the criterion.
    """
    figure, axes = plt.subplots(figsize=(8, 5))
    for score, curve in curves.items():
        style = "--" if score == "random" else "-"
        axes.plot(*zip(*curve, strict=True), style, marker=".", color=COLOURS[score], label=score)
    dense = next(iter(curves.values()))[0][1]
    axes.axhline(dense, color="#444444", lw=1, label="dense")
    axes.axhline(limit, color=LIMIT, ls="--", lw=1.2, label="criterion")
    chosen = (decision["sparsity"], decision["quality"])
    axes.plot(*chosen, "*", color=LIMIT, ms=16, label=f"decided: {decision['score']}", zorder=5)
    if decision["quality_recovered"] is not None:
        axes.plot(chosen[0], decision["quality_recovered"], "*", mfc="none", color=LIMIT, ms=16,
                  label="after recovery")  # fmt: skip
    title = "Quality by sparsity"
    if zoom:
        axes.set_xlim(*_around(curves, limit))
        drop = max(abs(dense - limit), 0.02 * abs(dense) or 0.01)
        axes.set_ylim(*sorted((dense + 1.5 * drop, dense - 6 * drop)))
        title += ", where it breaks"
    axes.set(xlabel="sparsity (share of zero weights)", ylabel=axis, title=title)
    axes.legend(loc="lower left", fontsize=9)
    return figure


def _around(curves: SparsityCurves, limit: float) -> tuple[float, float]:
    """Sparsities between which the curves, controls apart, cross the criterion."""
    crossings = []
    for score, curve in curves.items():
        if score != "random" or len(curves) == 1:
            falls = curve[-1][1] < curve[0][1]
            crossings.append(next((s for s, q in curve if (q < limit) == falls), curve[-1][0]))
    low, high = min(crossings), max(crossings)
    margin = max(0.05, 0.3 * (high - low))
    return max(0.0, low - margin), min(1.0, high + margin)


def layers_figure(rows: Sequence[Mapping[str, str]]) -> Figure:
    """Sparsity of every layer in order of depth, coloured by type."""
    kinds = list(dict.fromkeys(row["type"] for row in rows))
    colours = dict(zip(kinds, sns.color_palette("deep", len(kinds)), strict=True))
    figure, axes = plt.subplots(figsize=(8, max(2.5, 0.3 * len(rows) + 1.4)))
    places = range(len(rows))
    axes.barh(
        places, [float(r["sparsity"]) for r in rows], color=[colours[r["type"]] for r in rows]
    )
    for place, row in enumerate(rows):
        dead = f", {row['dead_channels']} dead" if int(row["dead_channels"]) else ""
        label = f" {float(row['sparsity']):.3f} of {int(row['weights']):,}{dead}"
        axes.text(float(row["sparsity"]), place, label, va="center", fontsize=8)
    axes.set_yticks(list(places), [row["layer"] for row in rows], fontsize=9)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 1.3)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set(xlabel="sparsity (share of zero weights)", title="Sparsity by layer, first to last")
    axes.legend(handles=[Patch(color=colours[kind], label=kind) for kind in kinds],
                loc="lower right", fontsize=9)  # fmt: skip
    return figure
