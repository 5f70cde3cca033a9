"""Frames keep their bits, come as they are asked for, and chroma is bicubic."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from stages.datasets.pictures import resize
from stages.upscaling.enlarger import Enlarger
from stages.upscaling.frames import enlarge_frames
from stages.video.frames import Frame, as_fractions
from tests.upscaling.conftest import a_format, some_frames
from tests.upscaling.networks import AVERAGING, seeded

TWICE = Enlarger(nn.Upsample(scale_factor=2), 2)


@pytest.mark.parametrize("bits", [8, 10])
def test_luma_is_what_the_network_makes_and_chroma_bicubic(bits: int) -> None:
    frames, form = some_frames(bits), a_format(bits)
    made = list(enlarge_frames(frames, form, TWICE))
    for (luma, *chroma), (larger, *larger_chroma) in zip(frames, made, strict=True):
        assert np.array_equal(larger, luma.repeat(2, 0).repeat(2, 1))
        for plane, larger_plane in zip(chroma, larger_chroma, strict=True):
            height, width = plane.shape
            wanted = resize(as_fractions(plane, form), 2 * height, 2 * width, "bicubic")
            assert larger_plane.shape == (2 * height, 2 * width)
            assert np.abs(larger_plane - form.peak * wanted).max() <= 0.51


def test_values_beyond_the_peak_are_clipped() -> None:
    form = a_format(10)
    (brighter,) = enlarge_frames(some_frames(10, 1), form, Enlarger(Gain(3), 1))
    (darker,) = enlarge_frames(some_frames(10, 1), form, Enlarger(Gain(-1), 1))
    assert brighter[0].max() == 1023
    assert darker[0].max() == 0


class Gain(nn.Module):
    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


@pytest.mark.parametrize("batch", [2, 3, 9])
def test_batches_change_nothing(batch: int) -> None:
    network = seeded(AVERAGING["drln"]())
    frames, form = some_frames(8), a_format(8)
    one = list(enlarge_frames(frames, form, Enlarger(network, 2, 32)))
    several = list(enlarge_frames(frames, form, Enlarger(network, 2, 32), batch))
    assert len(several) == len(frames)
    for alone, together in zip(one, several, strict=True):
        for plane, other in zip(alone, together, strict=True):
            assert np.abs(plane.astype(int) - other).max() <= 1


def test_no_more_frames_are_read_than_a_batch() -> None:
    read = 0

    def reading() -> Iterator[Frame]:
        nonlocal read
        for frame in some_frames(8, 7):
            read += 1
            yield frame

    made = enlarge_frames(reading(), a_format(8), TWICE, batch=2)
    assert read == 0
    seen = []
    for _ in made:
        seen.append(read)
    assert seen == [2, 2, 4, 4, 6, 6, 7]
