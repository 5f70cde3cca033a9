"""Frames for the tests of video."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from stages.video.frames import Format, Frame
from stages.video.y4m import save_y4m


def form(width: int = 64, height: int = 64, bits: int = 8, rate: int = 25) -> Format:
    return Format(width, height, bits, Fraction(rate))


def moving(count: int, like: Format, seed: int = 0) -> list[Frame]:
    """A blurred texture that moves by a pixel a frame, every sample in use."""
    rng = np.random.default_rng(seed)
    sides = like.height + count, like.width + count
    texture = cv2.GaussianBlur(rng.random(sides), (0, 0), 1.5)
    texture = cv2.normalize(texture, None, 0.05, 0.95, cv2.NORM_MINMAX) * like.peak
    frames = []
    for step in range(count):
        luma = texture[step : step + like.height, step : step + like.width]
        chroma = luma[::2, ::2]
        planes = (luma, chroma, like.peak - chroma)
        frames.append(tuple(np.rint(plane).astype(np.uint16) for plane in planes))
    return frames


def saved(path: Path, like: Format, frames: list[Frame]) -> Path:
    save_y4m(path, like, frames)
    return path


def same(one: list[Frame], other: list[Frame]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, b)
        for x, y in zip(one, other, strict=True)
        for a, b in zip(x, y, strict=True)
    )
