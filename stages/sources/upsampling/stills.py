"""Pictures whose low-resolution version was coded: what a filter behind a decoder sees."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from stages.datasets.pictures import Luma
from stages.datasets.upsampling.samples import Picture, coding_name
from stages.settings import Coded
from stages.video.frames import Format, Frame, as_fractions, as_samples
from stages.video.recoding import recoded

RATE = Fraction(25)  # of a single picture: it has to have one


def coded_stills(pairs: Iterable[Picture], coded: Coded) -> Iterator[Picture]:
    """Each pair with its clean version, if asked for, and with one coded as intra picture a QP.

    What is coded must have even low-resolution sides. What has more than 8 bits is coded in 10;
    chroma is grey.
    """
    for pair in pairs:
        if coded.clean:
            yield pair
        if coded.qps:
            yield from _coded(pair, coded)


def _coded(pair: Picture, coded: Coded) -> Iterator[Picture]:
    assert pair.low is not None
    height, width = pair.low.shape
    form = Format(width, height, 8 if pair.bits == 8 else 10, RATE)
    versions = recoded([_grey(pair.low, form)], form, coded.codec, coded.qps)
    for qp, (made, frames) in zip(coded.qps, versions, strict=True):
        low = as_fractions(frames[0][0], made)
        name = coding_name(coded.codec, qp)
        yield replace(pair, low=low, bits=max(pair.bits, made.bits), coding=name)


def _grey(luma: Luma, form: Format) -> Frame:
    middle = np.full((form.height // 2, form.width // 2), 128 << (form.bits - 8), np.uint16)
    return as_samples(luma, form), middle, middle
