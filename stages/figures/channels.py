"""Channels kept and removed, layer by layer."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from stages.figures.theme import PRUNED

UNLIKE = 10  # times: widths that differ by more are drawn as shares


def channels_figure(
    layers: Sequence[str], channels: Sequence[int], kept: Sequence[int], removed_by: str = ""
) -> Figure:
    """Bars of channels by group, named after the layer that makes them, in network order.

    In shares of each group where the widest has more than `UNLIKE` times the channels of another.
    """
    figure, axes = plt.subplots(figsize=(8, max(2.9, 0.32 * len(layers) + 1.6)))
    shares = bool(channels) and max(channels) > UNLIKE * min(channels)
    whole = list(channels) if shares else [1] * len(channels)
    places = range(len(layers))
    left = [count / all_ for count, all_ in zip(kept, whole, strict=True)]
    removed = [(all_ - count) / one
               for all_, count, one in zip(channels, kept, whole, strict=True)]  # fmt: skip
    axes.barh(places, left, color=PRUNED, label="kept")
    axes.barh(places, removed, left=left, color="#d9d9d9", label="removed")
    for place, all_, count in zip(places, channels, kept, strict=True):
        axes.text(1.01, place, f"{count} of {all_}", va="center", fontsize=9,
                  transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set_yticks(list(places), layers, fontsize=9)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 1 if shares else max(channels, default=1))
    axes.set_xlabel("share of the group's channels" if shares else "channels")
    by = f"\nin {removed_by}" if removed_by else ""
    axes.set_title(f"Channels kept and removed, by pruning group{by}")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure
