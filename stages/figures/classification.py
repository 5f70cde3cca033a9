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
from stages.figures.drawing import Drawing, Drawings, Rows, Table
from stages.figures.theme import BASELINE, DENSE, PRUNED, SPARSE

COLOURS = {"dense": DENSE, "sparse": SPARSE, "pruned": PRUNED}
OTHERS = {"sparse_8bit": "#7a5195", "longer": "#4a90c2", "scratch": "#b5651d"}
MOST_CLASSES = 24  # that are written out and drawn


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
            "A test sample of every class, as networks get it (standardised)"
            + (", at the highest SNR." if "snr_db" in rows[0] else "."),
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
    """Accuracy over SNR, a line per model."""
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for model in dict.fromkeys(row["model"] for row in rows):
        hits: dict[float, list[float]] = {}
        for row in rows:
            if row["model"] == model:
                hits.setdefault(float(row["snr_db"]), []).append(float(row["accuracy"]))
        snrs = sorted(hits)
        style = "o-" if model in COLOURS else ".--"
        colour = (COLOURS | OTHERS).get(model, BASELINE)
        axes.plot(snrs, [np.mean(hits[snr]) for snr in snrs], style, color=colour, label=model)
    axes.set(xlabel="SNR (dB)", ylabel="accuracy on test", ylim=(0, 1.02), title="Accuracy by SNR")
    axes.legend(loc="lower right", fontsize=9)
    return figure


def examples_figure(examples: NDArray[np.float32], classes: Sequence[str]) -> Figure:
    """One sample a class: (C, L) as lines, (C, H, W) as a picture."""
    shown = list(zip(classes, examples, strict=True))[:MOST_CLASSES]
    columns = 4 if examples.ndim == 3 else 8
    lines = -(-len(shown) // columns)
    size = (10, 1.6 * lines) if examples.ndim == 3 else (10, 1.45 * lines)
    figure, panels = plt.subplots(lines, columns, figsize=size, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    for axes, (name, sample) in zip(panels.flat, shown, strict=False):
        _show(axes, sample)
        axes.set_title(plain(name), fontsize=9)
    return figure


def _show(axes: Axes, sample: NDArray[np.float32]) -> None:
    if sample.ndim == 2:
        for channel in sample[:4]:
            axes.plot(channel[:128], lw=0.8)
        return
    low, high = sample.min(), sample.max()
    picture = (sample - low) / (high - low or 1)
    if len(sample) == 3:
        axes.imshow(picture.transpose(1, 2, 0))
    else:
        axes.imshow(picture[0], cmap="gray")


InUse = ClassificationFigures  # what `task_figures_of` looks for
