"""Training patches: where they are cut, and how they are varied."""

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from stages.datasets.pictures import Luma
from stages.datasets.upsampling.samples import Picture, detail
from stages.errors import UserError
from stages.settings import UpsamplingBatches


class PatchSamples(Dataset[tuple[Tensor, Tensor]]):
    """`count` pairs of patches, (1, p, p) and (1, scale*p, scale*p).

    The n-th pair depends on `seed` and n alone, so the order of loading does not matter.

    Raises:
        UserError: if a picture is smaller than a patch.
    """

    def __init__(
        self,
        pairs: Sequence[Picture],
        batches: UpsamplingBatches,
        count: int,
        seed: tuple[int, str],
    ):
        self.pairs, self.batches, self.count = pairs, batches, count
        self.seed = (seed[0], zlib.crc32(seed[1].encode()))
        for pair in pairs:
            if min(_low(pair).shape) < batches.patch:
                height, width = _low(pair).shape
                raise UserError(
                    f"picture {pair.name} is too small for training: {height} x {width} at low "
                    f"resolution, and batches.upsampling.patch is {batches.patch}"
                )
        weights = [
            _detail_of_target(pair, batches.patch)
            if batches.choose == "detail"
            else np.ones(_places(pair, batches.patch))
            for pair in pairs
        ]
        self.widths = [weight.shape[1] for weight in weights]
        self.starts = np.cumsum([0] + [weight.size for weight in weights])
        total = np.cumsum(np.concatenate([weight.ravel() for weight in weights]))
        self.cumulated = total / total[-1]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng((*self.seed, index))
        place = int(np.searchsorted(self.cumulated, rng.random(), side="right"))
        place = min(place, len(self.cumulated) - 1)
        chosen = int(np.searchsorted(self.starts, place, side="right")) - 1
        y, x = divmod(place - int(self.starts[chosen]), self.widths[chosen])
        low, high = cut(self.pairs[chosen], y, x, self.batches.patch)
        turns = int(rng.integers(4)) if self.batches.rotate else 0
        mirrored = bool(rng.integers(2)) if self.batches.mirror else False
        low, high = vary(low, turns, mirrored), vary(high, turns, mirrored)
        if self.batches.noise > 0:
            low = np.clip(low + self.batches.noise * rng.standard_normal(low.shape), 0, 1)
        return _tensor(low), _tensor(high)


def _detail_of_target(pair: Picture, patch: int) -> NDArray[np.float64]:
    """Detail of the target of every low-resolution patch: the same however that was coded."""
    scale = pair.high.shape[0] // _low(pair).shape[0]
    return detail(pair.high, scale * patch)[::scale, ::scale]


def cut(pair: Picture, y: int, x: int, patch: int) -> tuple[Luma, Luma]:
    """Cut the patch whose low-resolution corner is (y, x), at both resolutions."""
    scale = pair.high.shape[0] // _low(pair).shape[0]
    low = _low(pair)[y : y + patch, x : x + patch]
    high = pair.high[y * scale : (y + patch) * scale, x * scale : (x + patch) * scale]
    return low, high


def vary(patch: Luma, turns: int, mirrored: bool) -> Luma:
    """Turn by quarter turns, then mirror left to right."""
    turned = np.rot90(patch, turns)
    return turned[:, ::-1] if mirrored else turned


def _places(pair: Picture, patch: int) -> tuple[int, int]:
    height, width = _low(pair).shape
    return height - patch + 1, width - patch + 1


def _low(pair: Picture) -> Luma:
    assert pair.low is not None
    return pair.low


def _tensor(patch: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(patch, dtype=np.float32))[None]
