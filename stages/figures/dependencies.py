"""The dependency graph: which layers each pruning group ties together."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from stages.dependency.graph import POSITIONS, layer_of

ROLES = {"makes": "#1b7f5c", "reads": "#7fb3d5", "follows": "#c77d0a", "frozen": "#b0b0b0"}


def dependency_figure(graph: Mapping[str, Any]) -> Figure:
    """Layers (rows, in network order) against groups (columns): what a removal touches.

    A cell tells the layer's role: its output is the group's channels (makes), its input is
    (reads), or it goes along (follows). A row and a column of one layer may be both: `makes` wins.
    The last column marks layers with channels that are frozen.
    """
    groups, layers = graph["groups"], graph["network"]["layers"]
    codes = np.zeros((len(layers), len(groups) + 1))
    for column, group in enumerate(groups):
        for part in group["slices"]:
            row = layers.index(layer_of(part["tensor"]))
            code = 1 + list(ROLES).index(part["role"])
            codes[row, column] = min(code, codes[row, column] or code)
    for frozen in graph["frozen"]:
        if frozen["reason"] != POSITIONS:  # as every kernel has
            codes[layers.index(layer_of(frozen["tensor"])), -1] = len(ROLES)
    size = (3.5 + 0.36 * len(groups), 1.8 + 0.28 * len(layers))
    figure, axes = plt.subplots(figsize=size)
    names = [f"{group['name']} ({group['units']})" for group in groups] + ["frozen"]
    sns.heatmap(
        codes, ax=axes, cmap=ListedColormap(["#ffffff", *ROLES.values()]), vmin=0, vmax=len(ROLES),
        cbar=False, linewidths=0.5, linecolor="#e5e5e5", xticklabels=names, yticklabels=layers,
    )  # fmt: skip
    axes.tick_params(labelsize=8)
    axes.set_xticklabels(names, rotation=60, ha="right")
    axes.set(xlabel="pruning group (units)", ylabel="layer")
    axes.set_title("Dependency graph")
    handles = [Patch(color=colour, label=role) for role, colour in ROLES.items()]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    return figure
