"""Quality of every test item, and what can be said of differences between networks on them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stages import artifacts
from stages.datasets.classification.reading import read_labelled
from stages.datasets.upsampling.reading import read_pairs
from stages.inference.classification import predicted
from stages.inference.upsampling import upsample
from stages.settings import Settings
from stages.tasks.upsampling.quality import psnr_db

Items = NDArray[np.float64]

DRAWS = 10_000
ENDS = (0.025, 0.975)


def quality_of_items(network: nn.Module, settings: Settings) -> Items:
    """Of the test part: 1 or 0 a sample; or a picture's Y-PSNR in dB, its coded versions' mean."""
    if settings.task == "classification":
        part = read_labelled(artifacts.PREPARED, "test")
        return (predicted(network, part) == part.y).astype(np.float64)
    scale = settings.data.upsampling.scale
    found: dict[str, list[float]] = {}
    for pair in read_pairs(artifacts.PREPARED, "test"):
        luma = upsample(network, pair, scale)
        found.setdefault(pair.name, []).append(psnr_db(luma, pair.high, border=scale))
    return np.array([np.mean(values) for values in found.values()])


def interval(differences: Items) -> tuple[float, float]:
    """Where the mean lies were other items drawn, 95 %: the bootstrap's percentiles.

    Efron 1979. `differences` are paired, an entry per item: of three pictures, an interval is
    little more than the smallest and the largest.
    """
    drawn = np.random.default_rng(0).integers(0, len(differences), (DRAWS, len(differences)))
    low, high = np.quantile(differences[drawn].mean(1), ENDS)
    return float(low), float(high)


def items_path(file: Path, *key: object) -> Path:
    """Where the items of a row of a table lie: beside it."""
    return file.with_suffix("") / ("-".join(str(part).replace(" ", "_") for part in key) + ".npy")
