"""Figures of filters behind real codecs: rate-distortion curves, and deltas against bicubic."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from stages.figures.crops import crops_figure
from stages.figures.drawing import Drawing, Drawings, Rows
from stages.figures.theme import BASELINE, DENSE, PRUNED, SPARSE
from stages.measuring.rate_distortion import curves, mean_rates, shown_case

COLOURS = {"bicubic": BASELINE, "lanczos": SPARSE, "dense": DENSE, "pruned": PRUNED}
SHOWN = ("bicubic", "dense", "pruned")


def codec_drawings(points: Rows, deltas: Rows, crops: Path) -> Drawings:
    """All figures, of a row per stream and filter, a row per delta, and crops of decoded frames."""
    codecs = list(dict.fromkeys(str(row["codec"]) for row in points))
    drawings = {
        f"rate_{codec}": Drawing(
            rate_figure(points, codec),
            f"Y-PSNR against rate behind {codec.upper()}, a row per sequence, a column per mode.",
        )
        for codec in codecs
    }
    drawings["bd_rate"] = Drawing(
        delta_figure(deltas),
        "BD-rate (Y-PSNR) against bicubic, mean of the sequences: lower is better.",
    )
    case, filters = _shown(points), {row["filter"] for row in points}
    columns = [*(name for name in SHOWN if name in filters), "original"]
    drawings["coded_crops"] = Drawing(
        crops_figure(crops, columns, {}, f"Decoded frames, {case}"),
        f"Details of decoded frames, {case}, as each filter enlarges them.",
    )
    return drawings


def _shown(points: Rows) -> str:
    """The codec, the mode and the QP that crops are of."""
    columns = ("codec", "mode", "qp")
    codecs, modes, qps = (list(dict.fromkeys(row[c] for row in points)) for c in columns)
    codec, mode, qp = shown_case(codecs, modes, [int(qp) for qp in qps])
    return f"{codec.upper()}, {plain(mode)}, QP {qp}"


def rate_figure(points: Rows, codec: str) -> Figure:
    """Quality over rate of every filter, a panel per sequence and mode."""
    by_key = {key: curve for key, curve in curves(points, "psnr_db").items() if key[1] == codec}
    sequences, modes = (list(dict.fromkeys(key[place] for key in by_key)) for place in (0, 2))
    figure, grid = plt.subplots(
        len(sequences), len(modes), figsize=(4.6 * len(modes), 2.9 * len(sequences)), squeeze=False
    )
    for (sequence, _, mode, name), (rates, qualities) in by_key.items():
        axes = grid[sequences.index(sequence)][modes.index(mode)]
        axes.plot(rates, qualities, "o-", ms=4, lw=1.4, color=COLOURS.get(name), label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{sequence}, {plain(mode)}", fontsize=10)
    for axes in grid[-1]:
        axes.set_xlabel("rate (kbit/s)")
    for row in grid:
        row[0].set_ylabel("Y-PSNR (dB)")
    grid[0][0].legend(fontsize=9)
    return figure


def delta_figure(deltas: Rows) -> Figure:
    """Bars of the mean BD-rate by codec and mode, dense beside pruned."""
    found = mean_rates(deltas)
    cases = list(dict.fromkeys((codec, mode) for codec, mode, _ in found))
    figure, axes = plt.subplots(figsize=(3 + 1.6 * len(cases), 4.2))
    names = networks_in(found)
    for number, name in enumerate(names):
        places = [place + 0.4 * number for place in range(len(cases))]
        values = [found[*case, name] for case in cases]
        bars = axes.bar(places, [v or 0 for v in values], 0.38, color=COLOURS[name], label=name)
        labels = ["unknown" if v is None else f"{v:+.3f}" for v in values]
        axes.bar_label(bars, labels, fontsize=9, padding=2)
    axes.axhline(0, color=BASELINE, lw=1)
    middle = 0.2 * (len(names) - 1)
    axes.set_xticks([place + middle for place in range(len(cases))])
    axes.set_xticklabels([f"{codec.upper()}\n{plain(mode)}" for codec, mode in cases])
    axes.set(ylabel="BD-rate against bicubic (fraction)", title="Rate saved at equal Y-PSNR")
    axes.margins(y=0.15)
    figure.legend(loc="outside right upper", fontsize=9)
    return figure


def networks_in(rates: Iterable[tuple[str, str, str]]) -> list[str]:
    """Which networks, dense first, rates by codec, mode and filter are of."""
    filters = {name for _, _, name in rates}
    return [name for name in ("dense", "pruned") if name in filters]


def plain(mode: str) -> str:
    """A mode as people write it."""
    return mode.replace("_", " ")
