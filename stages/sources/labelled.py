"""Labelled samples: the value, how it is split, and its form on disk.

Pictures are PNG files in class folders (`PART/CLASS/NUMBER.png`), anything else is one array a part
(`PART.npy`); `PART.csv` has a row a sample with its label, and its SNR where it has one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stages.artifacts import read_csv, read_json, write_csv, write_json
from stages.errors import UserError
from stages.sources.pictures import read_pixels, write_pixels

DESCRIPTION = "prepared.json"
PARTS = ("train", "validation", "test")

Indices = NDArray[np.int64]
Split = Mapping[str, Indices]  # which samples make up each part


class Samples(Protocol):
    """uint8 pictures (H, W) or (H, W, 3), or float32 arrays (C, ...)."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Labelled:
    """Samples `x` and their labels `y`, which are places in `classes`."""

    x: Samples
    y: Indices
    classes: tuple[str, ...]
    snr_db: NDArray[np.float32] | None = None


def split_labelled(data: Labelled, validation: float, test: float, seed: int) -> Split:
    """Split at random by `seed`; every class, over all its SNRs, gives each part its share.

    Raises:
        UserError: if a class has too few samples to give every part one.
    """
    rng, parts = np.random.default_rng(seed), {part: [np.empty(0, np.int64)] for part in PARTS}
    snrs = np.zeros(len(data.y)) if data.snr_db is None else data.snr_db
    for label, name in enumerate(data.classes):
        members = rng.permutation(np.flatnonzero(data.y == label))
        if len(members) < len(PARTS):
            raise UserError(
                f"class {name} has {len(members)} samples: train, validation and test need one each"
            )
        left = members[np.argsort(snrs[members], kind="stable")]
        for part, share in (("validation", validation), ("test", test)):
            wanted = max(1, round(share * len(members)))
            places = spread(len(left), min(wanted, len(left) - (1 if part == "test" else 2)))
            parts[part].append(left[places])
            left = np.delete(left, places)
        parts["train"].append(left)
    split = {part: np.sort(np.concatenate(chosen)) for part, chosen in parts.items()}
    _refuse_gaps(data, split)
    return split


def spread(length: int, count: int) -> Indices:
    """`count` places of `length`, as evenly spread as can be."""
    return np.asarray((np.arange(count) + 0.5) * length / count, np.int64)


def _refuse_gaps(data: Labelled, split: Split) -> None:
    for part, indices in split.items():
        missing = sorted(set(range(len(data.classes))) - set(data.y[indices].tolist()))
        if missing:
            raise UserError(f"class {data.classes[missing[0]]} has no sample for {part}: add some")


def write_labelled(folder: Path, data: Labelled, split: Split, channels: int) -> None:
    """Write every part, and what networks need to know: shape, classes, mean and deviation.

    Mean and standard deviation are those of each channel over the training part. Grey pictures are
    given `channels` equal channels when they are read.
    """
    _refuse_gaps(data, split)
    pictures = data.x[0].dtype == np.uint8
    for part, indices in split.items():
        rows = []
        for number, index in enumerate(indices):
            name = data.classes[data.y[index]]
            row: dict[str, Any] = {"sample": f"{part}/{name}/{number:05d}.png", "label": name}
            if pictures:
                write_pixels(folder / str(row["sample"]), data.x[index])
            else:
                row["sample"] = number
            rows.append(row | ({} if data.snr_db is None else {"snr_db": data.snr_db[index]}))
        if not pictures:
            np.save(folder / f"{part}.npy", np.asarray(data.x)[indices])
        write_csv(folder / f"{part}.csv", rows)
    mean, deviation, shape = _statistics(data, split["train"], channels)
    write_json(
        folder / DESCRIPTION,
        {
            "schema": 1,
            "classes": list(data.classes),
            "shape": shape,
            "mean": mean,
            "deviation": deviation,
            "samples": {part: len(indices) for part, indices in split.items()},
        },
    )


def channels_first(sample: NDArray[Any], channels: int) -> NDArray[np.float32]:
    """A sample as float32 with its channels first; pictures in [0, 1], grey ones repeated."""
    if sample.dtype != np.uint8:
        return np.asarray(sample, np.float32)
    scaled = sample.astype(np.float32) / 255
    moved = np.repeat(scaled[None], channels, 0) if scaled.ndim == 2 else scaled.transpose(2, 0, 1)
    return np.asarray(moved, np.float32)


def _statistics(
    data: Labelled, train: Indices, channels: int
) -> tuple[list[float], list[float], list[int]]:
    """Mean and standard deviation of every channel, and the shape of a sample."""
    sums, squares, shape = np.zeros(1), np.zeros(1), (0, 0)
    for index in train:
        sample = channels_first(data.x[index], channels).astype(np.float64)
        flat, shape = sample.reshape(len(sample), -1), sample.shape
        sums, squares = sums + flat.sum(axis=1), squares + (flat**2).sum(axis=1)
    count = len(train) * int(np.prod(shape[1:]))
    mean = sums / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean.tolist(), np.where(deviation > 0, deviation, 1).tolist(), list(shape)


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
        spread = (-1, *([1] * (x.ndim - 1)))
        standard: NDArray[np.float32] = x - self.mean.reshape(spread)
        return standard / self.deviation.reshape(spread)

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
