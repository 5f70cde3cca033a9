"""What a sample of up-sampling is: a picture, and the low-resolution version made of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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


def shown_coding(codings: Iterable[str]) -> str:
    """Of all codings of a part, the one that figures show: none, if there are such pictures."""
    every = sorted(set(codings))
    return CLEAN if CLEAN in every else every[0]
