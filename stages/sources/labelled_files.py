"""Labelled samples on disk.

Pictures are PNG files in class folders (`PART/CLASS/NUMBER.png`), anything else is one array a part
(`PART.npy`); `PART.csv` has a row a sample with its label, and its SNR where it has one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.artifacts import DESCRIPTION, read_csv, read_json, write_csv, write_json
from stages.errors import UserError
from stages.sources.labelled import Indices, Labelled, Split
from stages.sources.pictures import read_pixels, write_pixels


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

    def told(self) -> dict[str, Any]:
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
        **moments["train"].told(),
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


def channels_first(sample: NDArray[Any], channels: int) -> NDArray[np.float32]:
    """A sample as float32 with its channels first; pictures in [0, 1], grey ones repeated."""
    if sample.dtype != np.uint8:
        return np.asarray(sample, np.float32)
    scaled = sample.astype(np.float32) / 255
    moved = np.repeat(scaled[None], channels, 0) if scaled.ndim == 2 else scaled.transpose(2, 0, 1)
    return np.asarray(moved, np.float32)


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
