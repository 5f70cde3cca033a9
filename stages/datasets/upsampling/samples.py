"""What a sample of up-sampling is: a picture, and the low-resolution version made of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.datasets.pictures import Luma

CLEAN = "clean"  # a low-resolution version that was not coded


@dataclass(frozen=True)
class Picture:
    """Luma, (height, width) in [0, 1] on a grid of `bits` bits, and `low` if it has one.

    `coding` says whether `low` is clean or how it was coded, `path` where the picture was read.
    """

    name: str
    high: Luma
    bits: int
    low: Luma | None = None
    coding: str = CLEAN
    path: Path | None = None


def coding_name(codec: str, qp: int) -> str:
    """What a coded version is called, in file names and tables."""
    return f"{codec}_qp{qp}"


def detail(luma: Luma, patch: int) -> NDArray[np.float64]:
    """Gradient energy of every patch of a picture, (H - patch + 1, W - patch + 1).

    A share of the mean is added, so that flat patches are rare, not absent.
    """
    vertical, horizontal = np.gradient(luma.astype(np.float64))
    summed = np.pad(vertical**2 + horizontal**2, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    energy = (
        summed[patch:, patch:]
        - summed[:-patch, patch:]
        - summed[patch:, :-patch]
        + summed[:-patch, :-patch]
    )
    energy = np.maximum(energy, 0)
    return np.asarray(energy + 0.1 * energy.mean() + 1e-9)
