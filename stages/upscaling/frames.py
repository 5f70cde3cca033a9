"""Frames of 4:2:0 video made larger: luma by a network, chroma by bicubic."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch

from stages.upscaling.enlarger import Enlarger
from stages.video.frames import Format, Frame, as_fractions, as_samples
from stages.video.resizing import resized


def enlarge_frames(
    frames: Iterable[Frame], form: Format, enlarger: Enlarger, batch: int = 1
) -> Iterator[Frame]:
    """Frames `enlarger.scale` times larger each way, in the same bits, as they are asked for.

    `batch` frames go through the network at once, and no more are held.

    Raises:
        UserError: if the network fails, or cannot run over tiles.
    """
    left = iter(frames)
    while group := list(islice(left, batch)):
        lumas = np.stack([as_fractions(luma, form) for luma, _, _ in group])
        made = enlarger.enlarge(torch.from_numpy(lumas)[:, None])
        for (_, blue, red), luma in zip(group, made[:, 0].numpy(), strict=True):
            chroma = [resized(p, form, enlarger.scale, "bicubic") for p in (blue, red)]
            yield as_samples(luma, form), chroma[0], chroma[1]
