"""Labelled samples in memory, which of them make up each part, and how networks take them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

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


def channels_first(sample: NDArray[Any], channels: int) -> NDArray[np.float32]:
    """A sample as float32 with its channels first; pictures in [0, 1], grey ones repeated."""
    if sample.dtype != np.uint8:
        return np.asarray(sample, np.float32)
    scaled = sample.astype(np.float32) / 255
    moved = np.repeat(scaled[None], channels, 0) if scaled.ndim == 2 else scaled.transpose(2, 0, 1)
    return np.asarray(moved, np.float32)
