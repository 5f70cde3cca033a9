"""Frames as a decoder hands them over: encoded and decoded again."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from stages.video.encoders import CODECS, encode, frames_of
from stages.video.frames import Format, Frame, in_bits
from stages.video.y4m import save_y4m

MODE, PRESETS = "random_access", {"hevc": "medium", "vvc": "faster"}

Coded = tuple[Format, list[Frame]]


def write_for(codec: str, path: Path, frames: Iterable[Frame], form: Format) -> int:
    """Write a Y4M file in the bits that a codec codes in; returns the number of frames."""
    coded = replace(form, bits=CODECS[codec].bits or form.bits)
    return save_y4m(path, coded, (in_bits(frame, form, coded) for frame in frames))


def recoded(
    frames: Iterable[Frame], form: Format, codec: str, qps: Sequence[int], stride: int = 1
) -> list[Coded]:
    """Frames coded in random access, once at every QP; one in `stride` of them, and their format.

    All are coded, so that what is taken was predicted from its neighbours; few are held.
    """
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        source = Path(name) / "source.y4m"
        count = write_for(codec, source, frames, form)

        def code(qp: int) -> Coded:
            stream = source.with_name(f"qp{qp}{CODECS[codec].suffix}")
            encode(source, stream, codec, MODE, qp, PRESETS[codec])
            return frames_of(stream, count, stride)

        return list(pool.map(code, qps))
