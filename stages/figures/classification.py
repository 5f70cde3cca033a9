"""What classification looks like: confusions, accuracy by SNR, examples of what it is given."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stages.artifacts import CLASS_EXAMPLES
from stages.figures.broken_axis import broken_axes, inside
from stages.figures.drawing import Drawing, Drawings, Rows, Table
from stages.figures.theme import BASELINE, DENSE, PRUNED, SPARSE
from stages.tasks.classification.measures import MEASURES

COLOURS = {"dense": DENSE, "sparse": SPARSE, "pruned": PRUNED}
OTHERS = {"sparse_8bit": "#7a5195", "longer": "#4a90c2", "scratch": "#b5651d"}
MOST_CLASSES = 24  # that are written out and drawn
MOST_CHANNELS = 8  # that are drawn of a sample


class ClassificationFigures:
    """Of rows with a class, the class that it was taken for, and its SNR where it has one."""

    def drawings(self, rows: Rows, examples: Path) -> Drawings:
        with np.load(examples / CLASS_EXAMPLES) as stored:
            return class_drawings(rows, stored["classes"].tolist(), stored["x"])

    def tables(self, rows: Rows) -> dict[str, Table]:
        """Accuracy of every model at every SNR, where samples have one."""
        snrs = sorted({float(row["snr_db"]) for row in rows if "snr_db" in row})
        if not snrs:
            return {}
        models = list(dict.fromkeys(row["model"] for row in rows))
        head = ["model", *(f"{snr:g} dB" for snr in snrs)]
        table = [[m, *(f"{_accuracy_at(rows, m, snr):.3f}" for snr in snrs)] for m in models]
        return {"Accuracy on the test part by SNR": (head, table)}


def _accuracy_at(rows: Rows, model: str, snr_db: float) -> float:
    of_model = [row for row in rows if row["model"] == model and float(row["snr_db"]) == snr_db]
    return sum(float(row["accuracy"]) for row in of_model) / len(of_model)


def class_drawings(rows: Rows, classes: Sequence[str], examples: NDArray[np.float32]) -> Drawings:
    """All figures of a classifier, of rows a model and test sample, and one example per class."""
    drawings = {
        "confusions": Drawing(
            confusion_figure(rows, classes),
            "Confusions on the test part: a row is the class it is, a column the class it is taken "
            "for, in shares of the row.",
        ),
        "examples": Drawing(
            examples_figure(examples, classes),
            f"{_which(classes)}, as networks get it (standardised), whole"
            + (", at the highest SNR" if "snr_db" in rows[0] else "")
            + f"; {_drawn_of(examples)}.",
        ),
    }
    if "snr_db" in rows[0]:
        drawings["snr"] = Drawing(snr_figure(rows), "Accuracy on the test part at every SNR.")
    return drawings


def confusion_figure(rows: Rows, classes: Sequence[str]) -> Figure:
    """Shares of each class taken for each class, a panel per model."""
    models = [m for m in COLOURS if any(row["model"] == m for row in rows)]
    figure, panels = plt.subplots(
        1, len(models), figsize=(0.8 + 4.4 * len(models), 4.9), sharey=True, squeeze=False
    )
    written, names = len(classes) <= MOST_CLASSES, [plain(name) for name in classes]
    for model, axes in zip(models, panels[0], strict=True):
        shares = confusion(rows, model, classes)
        sns.heatmap(
            shares, ax=axes, vmin=0, vmax=1, cmap="Greens", cbar=False, square=True,
            xticklabels=names if written else False,
            yticklabels=names if written else False,
            annot=[[f"{s:.2f}".lstrip("0") if s >= 0.005 else "" for s in row] for row in shares]
            if len(classes) <= 12 else False,
            fmt="", annot_kws={"size": 8},
        )  # fmt: skip
        axes.set(title=model, xlabel="taken for")
        axes.tick_params(labelsize=9)
    panels[0][0].set_ylabel("is")
    return figure


def plain(name: str) -> str:
    """A name in which no `$` starts a formula."""
    return name.replace("$", r"\$")


def confusion(rows: Rows, model: str, classes: Sequence[str]) -> NDArray[np.float64]:
    """Shares, (is, taken for); a class without samples has zeros."""
    counts, place = np.zeros((len(classes), len(classes))), {n: i for i, n in enumerate(classes)}
    for row in rows:
        if row["model"] == model:
            counts[place[row["class"]], place[row["predicted"]]] += 1
    shares: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def snr_figure(rows: Rows) -> Figure:
    """Accuracy over SNR, a line per model; the networks' region has most of the axis."""
    curves: dict[str, dict[float, float]] = {}
    for model in dict.fromkeys(row["model"] for row in rows):
        snrs = sorted({float(row["snr_db"]) for row in rows if row["model"] == model})
        curves[model] = {snr: _accuracy_at(rows, model, snr) for snr in snrs}
    networks = [m for m in curves if m != MEASURES.baseline]
    values = {model: list(curve.values()) for model, curve in curves.items()}
    decide = [value for model in networks or curves for value in values[model]]
    figure, parts = broken_axes((9, 4.8), decide, [v for every in values.values() for v in every])
    for axes in parts:
        for model, curve in curves.items():
            style = "o-" if model in COLOURS else ".--"
            colour = (COLOURS | OTHERS).get(model, BASELINE)
            points = list(curve), values[model]
            marked = inside(axes, values[model])
            axes.plot(*points, style, color=colour, label=model, markevery=marked)
    parts[0].set(ylabel="accuracy on test", title="Accuracy by SNR")
    parts[-1].set_xlabel("SNR (dB)")
    figure.legend(*parts[0].get_legend_handles_labels(), loc="outside right upper", fontsize=9)
    return figure


def _which(classes: Sequence[str]) -> str:
    if len(classes) <= MOST_CLASSES:
        return "A test sample of every class"
    return f"Test samples of {MOST_CLASSES} of {len(classes)} classes"


def _drawn_of(examples: NDArray[np.float32]) -> str:
    """How many channels of how many are drawn."""
    channels = examples.shape[1]
    as_picture = 3 if channels == 3 else 1
    drawn = min(channels, MOST_CHANNELS) if examples.ndim == 3 else as_picture
    if drawn == channels:
        return "one channel" if channels == 1 else f"all {channels} channels"
    return f"{drawn} of {channels} channels"


def examples_figure(examples: NDArray[np.float32], classes: Sequence[str]) -> Figure:
    """One sample a class: (C, L) as lines, (C, H, W) as a picture."""
    shown = list(zip(classes, examples, strict=True))[:MOST_CLASSES]
    signals = examples.ndim == 3
    columns = min(4 if signals else 8, len(shown))
    lines = -(-len(shown) // columns)
    figure, panels = plt.subplots(
        lines, columns, figsize=(11, 1.9 * lines + 0.7), squeeze=False,
        sharex=True, sharey=True,
    )  # fmt: skip
    for axes in panels.flat[len(shown) :]:
        axes.axis("off")
    for number, (axes, (name, sample)) in enumerate(zip(panels.flat, shown, strict=False)):
        _show(axes, sample)
        axes.tick_params(labelbottom=number + columns >= len(shown))  # none below it
        axes.set_title(plain(name), fontsize=9)
        axes.tick_params(labelsize=7)
    figure.suptitle(f"Test samples, {_drawn_of(examples)}", fontsize=11)
    figure.supxlabel("place in the sample" if signals else "column (pixels)", fontsize=10)
    figure.supylabel("standardised value" if signals else "row (pixels)", fontsize=10)
    if signals and examples.shape[1] > 1:
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside right upper",
                      fontsize=8)  # fmt: skip
    return figure


def _show(axes: Axes, sample: NDArray[np.float32]) -> None:
    if sample.ndim == 2:
        for number, channel in enumerate(sample[:MOST_CHANNELS], 1):
            axes.plot(channel, lw=0.7, label=f"channel {number}")
        axes.margins(x=0)
        return
    low, high = sample.min(), sample.max()
    picture = (sample - low) / (high - low or 1)
    if len(sample) == 3:
        axes.imshow(picture.transpose(1, 2, 0))
    else:
        axes.imshow(picture[0], cmap="gray")
    axes.grid(visible=False)


InUse = ClassificationFigures  # what `task_figures_of` looks for
