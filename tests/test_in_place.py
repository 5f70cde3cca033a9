"""A network may alter its input in place: what is kept never reaches it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stages.datasets.upsampling.reading import read_pairs
from stages.inference.upsampling import run, upsample
from stages.measuring.latency import measure_latency
from stages.networks.espcn import ESPCN
from stages.settings import Settings
from stages.tasks.upsampling.task import Upsampling
from stages.upscaling.enlarger import Enlarger


class Centring(ESPCN):
    """Takes a constant off its input, in place."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sub_(0.45))


class Doubling(nn.Module):
    """Fails once its input is no longer what it was at first."""

    def __init__(self) -> None:
        super().__init__()
        self.sums: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sums.append(float(x.sum()))
        return x.mul_(2)


def test_pairs_stay_as_they_are(prepared: Path) -> None:
    (pair, *_) = read_pairs(prepared, "validation")
    assert pair.low is not None
    before, network = pair.low.copy(), Centring(4, 2)
    first, second = (upsample(network, pair, 2) for _ in range(2))
    assert np.array_equal(pair.low, before)
    assert np.array_equal(first, second)


def test_validation_gives_the_same_again(prepared: Path, settings: Settings) -> None:
    task, network = Upsampling(settings), Centring(4, 2)
    assert task.validate(network) == task.validate(network)


def test_a_whole_tile_is_a_copy_too() -> None:
    luma = torch.rand(1, 1, 32, 32)
    before, network = luma.clone(), Centring(4, 2)
    run(network, luma, 2)
    Enlarger(network, 2, tile=64).enlarge(luma)
    assert torch.equal(luma, before)


def test_every_timed_run_takes_the_same_input() -> None:
    network = Doubling()
    measure_latency({"one": network}, (1, 1, 4, 4), runs=3)
    assert len(network.sums) == 4
    assert len(set(network.sums)) == 1
