"""Writing labelled samples, as `reading` finds them, and what networks need to know of them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.artifacts import DESCRIPTION, write_csv, write_json
from stages.datasets.classification.samples import Indices, Labelled, Split, channels_first
from stages.datasets.pictures import write_pixels
from stages.errors import UserError


@dataclass
class Moments:
    """Sums over samples, from which mean and deviation of every channel follow."""

    shape: tuple[int, ...] = ()
    samples: int = 0
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))

    def add(self, sample: NDArray[np.float32]) -> None:
        """Take in a sample (C, ...)."""
        flat = sample.reshape(len(sample), -1).astype(np.float64)
        self.shape, self.samples = sample.shape, self.samples + 1
        self.sums = self.sums + flat.sum(axis=1)
        self.squares = self.squares + (flat**2).sum(axis=1)

    def described(self) -> dict[str, Any]:
        """Shape of a sample, mean and standard deviation of every channel (1 where it is 0)."""
        count = self.samples * int(np.prod(self.shape[1:]))
        mean = self.sums / count
        deviation = np.sqrt(np.maximum(self.squares / count - mean**2, 0))
        deviation = np.where(deviation > 0, deviation, 1)
        return {
            "shape": list(self.shape),
            "mean": mean.tolist(),
            "deviation": deviation.tolist(),
        }


def write_labelled(folder: Path, data: Labelled, split: Split, channels: int) -> None:
    """Write every part, and what networks need to know: shape, classes, mean and deviation.

    Mean and standard deviation are those of each channel over the training part. Grey pictures are
    given `channels` equal channels when they are read.

    Raises:
        UserError: if a part has no sample of a class.
    """
    _refuse_gaps(data, split)
    moments = {part: _write_part(folder, part, data, split[part], channels) for part in split}
    about = {
        "schema": 1,
        "classes": list(data.classes),
        "samples": {part: len(indices) for part, indices in split.items()},
        **moments["train"].described(),
    }
    write_json(folder / DESCRIPTION, about)


def _refuse_gaps(data: Labelled, split: Split) -> None:
    for part, indices in split.items():
        missing = sorted(set(range(len(data.classes))) - set(data.y[indices].tolist()))
        if missing:
            raise UserError(f"class {data.classes[missing[0]]} has no sample for {part}: add some")


def _write_part(
    folder: Path, part: str, data: Labelled, indices: Indices, channels: int
) -> Moments:
    """Write the samples `indices`; each is decoded once, so that its moments are taken here."""
    rows, arrays, moments = [], [], Moments()
    for number, index in enumerate(indices):
        sample, label = data.x[index], data.classes[data.y[index]]
        row: dict[str, Any] = {"sample": number, "label": label}
        if sample.dtype == np.uint8:
            row["sample"] = f"{part}/{label}/{number:05d}.png"
            write_pixels(folder / row["sample"], sample)
        else:
            arrays.append(sample)
        moments.add(channels_first(sample, channels))
        rows.append(row | ({} if data.snr_db is None else {"snr_db": data.snr_db[index]}))
    if arrays:
        np.save(folder / f"{part}.npy", np.stack(arrays))
    write_csv(folder / f"{part}.csv", rows)
    return moments
