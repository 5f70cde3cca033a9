"""Labelled samples as `prepare` left them on disk.

Pictures are PNG files in class folders (`PART/CLASS/NUMBER.png`), anything else is one array a part
(`PART.npy`); `PART.csv` has a row per sample with its label, and its SNR where it has one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.artifacts import DESCRIPTION, read_csv, read_json
from stages.datasets.classification.samples import Indices, channels_first
from stages.datasets.pictures import read_pixels


@dataclass(frozen=True)
class Prepared:
    """A part as it lies on disk, read sample by sample."""

    files: Sequence[Path] | None
    array: NDArray[np.float32] | None
    y: Indices
    snr_db: NDArray[np.float32] | None
    channels: int
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """The sample as networks take it: channels first, standardised."""
        sample = self.array[index] if self.array is not None else self._pixels(index)
        x = channels_first(sample, self.channels)
        by_channel = (-1, *([1] * (x.ndim - 1)))
        centred: NDArray[np.float32] = x - self.mean.reshape(by_channel)
        return centred / self.deviation.reshape(by_channel)

    def _pixels(self, index: int) -> NDArray[np.uint8]:
        assert self.files is not None
        return read_pixels(self.files[index], None)


def describe(folder: Path) -> dict[str, Any]:
    """What `write_labelled` wrote about the data: classes, shape and statistics."""
    return read_json(folder / DESCRIPTION)


def read_labelled(folder: Path, part: str) -> Prepared:
    """Open a part that `write_labelled` wrote."""
    about, rows = describe(folder), read_csv(folder / f"{part}.csv")
    stored = folder / f"{part}.npy"
    labels = {name: label for label, name in enumerate(about["classes"])}
    snrs = [float(row["snr_db"]) for row in rows] if "snr_db" in rows[0] else None
    return Prepared(
        files=None if stored.is_file() else [folder / row["sample"] for row in rows],
        array=np.load(stored, mmap_mode="r") if stored.is_file() else None,
        y=np.array([labels[row["label"]] for row in rows]),
        snr_db=None if snrs is None else np.array(snrs, np.float32),
        channels=about["shape"][0],
        mean=np.array(about["mean"], np.float32),
        deviation=np.array(about["deviation"], np.float32),
    )
