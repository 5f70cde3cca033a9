"""Frames of 4:2:0 video made larger: luma by a network, chroma by bicubic."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch

from stages.enlarging.enlarger import Enlarger
from stages.sources.pictures import resize
from stages.video.frames import Format, Frame, Plane, as_fractions, as_samples


def enlarge_frames(
    frames: Iterable[Frame], form: Format, enlarger: Enlarger, batch: int = 1
) -> Iterator[Frame]:
    """Frames `enlarger.scale` times larger each way, in the same bits, as they are asked for.

    `batch` frames go through the network at once, and no more are held.

    Raises:
        UserError: if the network fails, or cannot run over tiles.
    """
    given = iter(frames)
    while group := list(islice(given, batch)):
        lumas = np.stack([as_fractions(luma, form) for luma, _, _ in group])
        made = enlarger.enlarge(torch.from_numpy(lumas)[:, None])
        for (_, blue, red), luma in zip(group, made[:, 0].numpy(), strict=True):
            chroma = [_bicubic(plane, form, enlarger.scale) for plane in (blue, red)]
            yield as_samples(luma, form), chroma[0], chroma[1]


def _bicubic(plane: Plane, form: Format, scale: int) -> Plane:
    height, width = (scale * side for side in plane.shape)
    return as_samples(resize(as_fractions(plane, form), height, width, "bicubic"), form)
