"""A sheet of crops: the same detail as each model makes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

MOST = 8  # rows: more of them are too small to be looked at


def crops_figure(
    folder: Path, columns: Sequence[str], notes: Mapping[tuple[str, str], str], title: str
) -> Figure:
    """Show `folder`/ITEM/COLUMN.png as a grid; `notes` by (column, item) stand under each.

    Of many items, every so many is shown.
    """
    items = sorted(path.name for path in folder.iterdir() if path.is_dir())
    items = items[:: -(-len(items) // MOST)]
    figure, grid = plt.subplots(
        len(items), len(columns), figsize=(2.4 * len(columns), 2.7 * len(items)), squeeze=False
    )
    for row, item in zip(grid, items, strict=True):
        for axes, column in zip(row, columns, strict=True):
            picture = plt.imread(folder / item / f"{column}.png")
            axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel(notes.get((column, item), ""), fontsize=9)
        row[0].set_ylabel(item)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(column, loc="center")
    figure.suptitle(title, fontsize=11)
    return figure
