"""Training samples of a classifier, and how they are varied."""

import zlib

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from stages.datasets.classification.reading import Prepared
from stages.settings import ClassificationBatches


class LabelledSamples(Dataset[tuple[Tensor, Tensor]]):
    """`count` samples, (C, ...) and a label each; every epoch through the data is shuffled anew.

    The n-th sample depends on `seed` and n alone, so the order of loading does not matter.
    """

    def __init__(
        self, part: Prepared, batches: ClassificationBatches, count: int, seed: tuple[int, str]
    ):
        self.part, self.batches, self.count = part, batches, count
        self.seed = (seed[0], zlib.crc32(seed[1].encode()))
        rounds = max(1, -(-count // len(part)))
        rng = np.random.default_rng(self.seed)
        self.order = np.concatenate([rng.permutation(len(part)) for _ in range(rounds)])

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        place = int(self.order[index])
        rng = np.random.default_rng((*self.seed, index))
        x = varied(self.part[place], self.batches, rng)
        return torch.from_numpy(x), torch.tensor(int(self.part.y[place]))


def varied(
    x: NDArray[np.float32], batches: ClassificationBatches, rng: Generator
) -> NDArray[np.float32]:
    """Move a sample along its axes (the edge repeated), mirror its last axis, add noise."""
    if batches.shift:
        axes = x.ndim - 1
        pad = [(0, 0)] + [(batches.shift, batches.shift)] * axes
        starts = rng.integers(0, 2 * batches.shift + 1, axes)
        cut = (slice(None), *(slice(s, s + n) for s, n in zip(starts, x.shape[1:], strict=True)))
        x = np.pad(x, pad, mode="edge")[cut]
    if batches.mirror and rng.integers(2):
        x = x[..., ::-1]
    if batches.noise > 0:
        x = x + batches.noise * rng.standard_normal(x.shape, np.float32)
    return np.ascontiguousarray(x, np.float32)
