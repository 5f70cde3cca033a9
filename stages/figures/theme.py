"""The look that all figures share, and how they are saved."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

DENSE, SPARSE, PRUNED, LIMIT, BASELINE = "#33415c", "#c77d0a", "#1b7f5c", "#b3261e", "#8a8f98"
PALETTE = {"finetune": DENSE, "sparsify": SPARSE, "recover": PRUNED}


def use_theme() -> None:
    """Set seaborn's theme for all figures that follow."""
    sns.set_theme(
        context="notebook",
        style="whitegrid",
        rc={"figure.dpi": 110, "axes.titleweight": "bold", "axes.titlelocation": "left",
            "figure.constrained_layout.use": True, "axes.titlesize": 12, "axes.labelsize": 11},
    )  # fmt: skip


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on what it shows alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
