"""Channels kept and removed, layer by layer."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from stages.figures.theme import PRUNED


def channels_figure(layers: Sequence[str], channels: Sequence[int], kept: Sequence[int]) -> Figure:
    """Bars of channels by group, named after the layer that makes them, in network order."""
    figure, axes = plt.subplots(figsize=(8, max(2.5, 0.32 * len(layers) + 1.2)))
    places = range(len(layers))
    removed = [all_ - left for all_, left in zip(channels, kept, strict=True)]
    axes.barh(places, kept, color=PRUNED, label="kept")
    axes.barh(places, removed, left=kept, color="#d9d9d9", label="removed")
    for place, all_, left in zip(places, channels, kept, strict=True):
        axes.text(all_, place, f" {left} of {all_}", va="center", fontsize=9)
    axes.set_yticks(list(places), layers, fontsize=9)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 1.15 * max(channels, default=1))
    axes.set(xlabel="channels", title="Channels kept and removed, by pruning group")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
    return figure
