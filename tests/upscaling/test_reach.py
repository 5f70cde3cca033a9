"""How far networks look, what they average, and which cannot run over tiles."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from stages.inference.upsampling import run
from stages.upscaling.enlarger import Enlarger, scale_of
from stages.upscaling.reach import reach_of
from stages.upscaling.tiles import Reach
from tests.conftest import Refused
from tests.upscaling.comparing import SAME, difference, frame
from tests.upscaling.networks import (
    AVERAGING,
    LOCAL,
    GlobalMaximum,
    Mixing,
    PositionAttention,
    Ramp,
    UNetLike,
    seeded,
)

Factory = Callable[[], nn.Module]


def test_the_margin_is_the_receptive_field_rounded_up() -> None:
    layers = [nn.Conv2d(1, 1, 3, padding=n, dilation=n) for n in (5, 12)]
    assert reach_of(nn.Sequential(*layers), 1) == Reach(32, 16, ())
    assert reach_of(nn.Conv2d(1, 1, 3, padding=1), 1) == Reach(16, 16, ())
    assert reach_of(nn.Identity(), 1) == Reach(0, 16, ())
    wide = nn.Conv2d(1, 1, (1, 3), padding=(0, 100), dilation=(1, 100))
    assert reach_of(wide, 1) == Reach(112, 16, ())


def test_averages_are_found_at_their_resolution() -> None:
    one, half, twice = (Fraction(1), Fraction(1)), (Fraction(1, 8),) * 2, (Fraction(2),) * 2
    assert reach_of(AVERAGING["drln"](), 2).means == (one, one)
    assert reach_of(AVERAGING["rcan"](), 2).means == (one, one, twice)
    assert reach_of(AVERAGING["unet"](), 2).means == (half,)


class Spelled(nn.Module):
    """One average, in the way that is asked for; another one that no pixel decides."""

    def __init__(self, mean: Callable[[Tensor], Tensor]):
        super().__init__()
        self.mean, self.weight = mean, nn.Parameter(torch.rand(1, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        constant = self.weight.mean((2, 3), keepdim=True)
        mean = self.mean(x * x)
        assert mean.shape == (len(x), 1, 1, 1)
        return constant * x + mean


def precise(x: Tensor) -> Tensor:
    mean = x.mean([2, 3], dtype=torch.float64)
    assert mean.dtype == torch.float64
    return mean[:, :, None, None]


SPELLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "axes": lambda x: x.mean((2, 3))[:, :, None, None],
    "negative": lambda x: torch.mean(x, (-1, -2), keepdim=True),
    "precise": precise,
    "pool": lambda x: nn.functional.adaptive_avg_pool2d(x, 1),
    "pool in inference": torch.inference_mode()(lambda x: nn.AdaptiveAvgPool2d(1)(x)),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_averages_in_any_spelling(name: str) -> None:
    network, luma = Spelled(SPELLINGS[name]), frame(50, 70)
    enlarger = Enlarger(network, 1, 16)
    assert len(enlarger.reach.means) == 2
    assert len(enlarger.reach.over_frame) == 1
    assert difference(enlarger.enlarge(luma), run(network, luma, 1)) < SAME


def test_deeper_strides_find_a_larger_alignment() -> None:
    network = seeded(UNetLike(depth=5, width=2))
    enlarger = Enlarger(network, 2, 32)
    assert enlarger.reach.alignment == 32
    luma = frame(72, 400)
    assert difference(enlarger.enlarge(luma), run(network, luma, 2)) < SAME


@pytest.mark.parametrize("mix", [PositionAttention, GlobalMaximum, lambda: nn.InstanceNorm2d(4)])
def test_networks_that_mix_all_positions_are_refused(mix: Factory, refused: Refused) -> None:
    network = seeded(Mixing(mix()))
    with refused("whole frame at once", "--tile 0"):
        Enlarger(network, 2, 32).enlarge(frame(48, 64))
    assert Enlarger(network, 2).enlarge(frame(48, 64)).shape == (1, 1, 96, 128)
    assert Enlarger(network, 2, 64).enlarge(frame(48, 64)).shape == (1, 1, 96, 128)


def test_a_network_that_knows_where_it_is_is_refused(refused: Refused) -> None:
    with refused("noise", "--tile 0"):
        Enlarger(Ramp(), 1, 32).enlarge(frame(48, 64))


def test_what_is_no_enlargement_is_refused(refused: Refused) -> None:
    with refused("(1, 1, 16, 16)", "(1, 1, 8, 8)", "enlarges"):
        scale_of(nn.AvgPool2d(2), (1, 1, 16, 16))
    with refused("(1, 3, 16, 16)", "luma"):
        scale_of(nn.Identity(), (1, 3, 16, 16))
    with refused("does not take", "(1, 1, 16, 16)"):
        scale_of(nn.Conv2d(3, 1, 1), (1, 1, 16, 16))
    with refused("no numbers"):
        scale_of(Broken(), (1, 1, 16, 16))
    with refused("fails on 1 x 10 x 9", "divisible"):
        run(LOCAL["shuffled"](), frame(10, 9), 2)
    with refused("(1, 1, 20, 40)", "(1, 1, 30, 60)"):
        run(nn.Upsample(scale_factor=2), frame(10, 20), 3)


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / x.sum() * 0
