"""Figures of weight pruning: quality against sparsity, sparsity of every layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
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

    Where what is left was repaired, dotted lines show quality as cut.

    With `zoom`, only where the decided score breaks is shown, and quality near the criterion.
    """
    figure, axes = plt.subplots(figsize=(8, 5))
    for score, curve in curves.items():
        style = "--" if score == "random" else "-"
        axes.plot(*zip(*curve, strict=True), style, marker=".", color=COLOURS[score], label=score)
    for score, curve in decision["curves_cut"].items():
        axes.plot(*zip(*curve, strict=True), ":", lw=1.2, color=COLOURS[score])
    if decision["curves_cut"]:
        axes.plot([], [], ":", lw=1.2, color="#444444", label="as cut, not repaired")
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
    """Sparsity of every layer in order of depth, coloured by type, and of the block it is in."""
    kinds = list(dict.fromkeys(row["type"] for row in rows))
    colours = dict(zip(kinds, sns.color_palette("deep", len(kinds)), strict=True))
    figure, axes = plt.subplots(figsize=(9, max(2.9, 0.3 * len(rows) + 1.8)))
    places = range(len(rows))
    axes.barh(
        places, [float(r["sparsity"]) for r in rows], color=[colours[r["type"]] for r in rows]
    )
    for place, row in enumerate(rows):
        dead = f", {row['dead_channels']} dead" if int(row["dead_channels"]) else ""
        label = f"{float(row['sparsity']):.3f} of {int(row['weights']):,}{dead}"
        axes.text(1.01, place, label, va="center", fontsize=8,
                  transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set_yticks(list(places), [row["layer"] for row in rows], fontsize=9)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 1)
    axes.set(xlabel="sparsity (share of zero weights)", title="Sparsity by layer, first to last")
    handles: list[Artist] = [Patch(color=colours[kind], label=kind) for kind in kinds]
    handles += _draw_blocks(axes, rows)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
    return figure


def _draw_blocks(axes: Axes, rows: Sequence[Mapping[str, str]]) -> list[Artist]:
    """A stroke through the layers of every block of several, at the sparsity of the whole block."""
    blocks: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        blocks.setdefault(row["block"], []).append(place)
    strokes: list[Artist] = []
    for members in blocks.values():
        zeros, weights = (sum(int(rows[m][k]) for m in members) for k in ("zeros", "weights"))
        if 1 < len(members) < len(rows):
            ends = [min(members) - 0.45, max(members) + 0.45]
            share = zeros / weights
            strokes += axes.plot([share, share], ends, color="#222222", lw=2.2, label="its block")
    return strokes[:1]
