"""Synthetic sequences: a slow pan and zoom over a still picture."""

from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.video.frames import Format, Frame, from_bytes
from stages.video.resizing import SMALLEST

RATE = Fraction(25)
SHARE = 0.8  # of the picture's sides that the first frame shows
ZOOM = 1.2  # how much more of the picture the first frame shows than the last, each way
LARGEST = (384, 256)  # width and height of a frame: a default run must stay short
SPEED = 1.5  # pixels that the view moves from frame to frame, at most


def pan_and_zoom(
    picture: NDArray[np.uint8], frames: int, scale: int
) -> tuple[Format, Iterator[Frame]]:
    """Frames of a view that moves over an (H, W, 3) picture, red, green, blue, and comes nearer.

    Frames stay 4:2:0 once they are `scale` times smaller. Small pictures, down to `SMALLEST` at low
    resolution, are shown almost whole. Colours become YCbCr of BT.601.
    """
    height, width = picture.shape[:2]
    least, multiple = scale * SMALLEST, 2 * scale
    shown = [
        max(least, min(int(SHARE * side / ZOOM), most) // multiple * multiple)
        for side, most in zip((width, height), LARGEST, strict=True)
    ]
    form = Format(shown[0], shown[1], 8, RATE)
    return form, _views(Image.fromarray(picture), form, frames)


def _views(picture: Image.Image, form: Format, frames: int) -> Iterator[Frame]:
    size, whole = np.array([form.width, form.height], float), np.array(picture.size, float)
    zoom = min(ZOOM, *(whole / size))
    path = np.clip(whole - zoom * size, 0, SPEED * max(1, frames - 1))  # towards a corner
    for number in range(frames):
        done = number / max(1, frames - 1)
        half = size * (zoom + (1 - zoom) * done) / 2
        centre = (whole - path) / 2 + done * path
        box = (*(centre - half), *(centre + half))
        view = picture.resize((form.width, form.height), Image.Resampling.BICUBIC, box=box)
        planes = cv2.cvtColor(np.asarray(view), cv2.COLOR_RGB2YUV_I420)
        yield from_bytes(planes.tobytes(), form)
