"""What narrowing each pruning group alone costs, as a heat map."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from stages.channels.sensitivity import PARTS
from stages.tasks.quality import Quality


def sensitivity_figure(groups: Mapping[str, Mapping[str, Any]], quality: Quality) -> Figure:
    """Drop of quality by group, in network order, over the share of its units that is left.

    In between the widths that were measured it is interpolated.
    """
    drops = [np.interp(np.array(PARTS) * one["left"][-1], one["left"], one["drop"])
             for one in groups.values()]  # fmt: skip
    figure, axes = plt.subplots(figsize=(8, max(2.9, 0.32 * len(groups) + 1.6)))
    unit = f" ({quality.unit})" if quality.unit else ""
    sns.heatmap(
        np.array(drops), ax=axes, annot=True, fmt=".3f", cmap="rocket_r", vmin=0,
        annot_kws={"fontsize": 8}, xticklabels=[f"{part:g}" for part in PARTS],
        yticklabels=list(groups), cbar_kws={"label": f"{quality.label} lost{unit}"},
    )  # fmt: skip
    axes.tick_params(axis="y", labelsize=9, rotation=0)
    axes.set_xlabel("share of the group's units left")
    axes.set_title("What narrowing one group alone costs")
    return figure
