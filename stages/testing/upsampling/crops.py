"""Crops of test pictures: the same detail as every model makes it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stages.datasets.pictures import Luma, write_luma
from stages.datasets.upsampling.samples import Picture, detail

CROP = 80  # pixels per side, at high resolution


def write_crops(folder: Path, pair: Picture, made: Mapping[str, Luma]) -> None:
    """Write `NAME/MODEL.png` of the place where the original has most detail."""
    side = min(CROP, *pair.high.shape)
    y, x = np.unravel_index(np.argmax(detail(pair.high, side)), _places(pair.high, side))
    for name, luma in made.items():
        write_luma(folder / pair.name / f"{name}.png", luma[y : y + side, x : x + side], pair.bits)


def _places(luma: Luma, side: int) -> tuple[int, int]:
    return luma.shape[0] - side + 1, luma.shape[1] - side + 1
