"""Video files, written by the suffix of their names."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO

from stages.artifacts import fresh_file
from stages.errors import UserError
from stages.upscaling.encoding import write_container
from stages.video.frames import Format, Frame, to_bytes
from stages.video.y4m import write_y4m

Y4M, RAW = ".y4m", ".yuv"
CRF = 12
HEVC = ("-c:v", "libx265", "-crf", str(CRF), "-x265-params", "log-level=error", "-tag:v", "hvc1")
CONTAINERS = {
    ".mkv": ("-c:v", "ffv1", "-level", "3", "-f", "matroska"),
    ".mp4": (*HEVC, "-f", "mp4"),
    ".mov": (*HEVC, "-f", "mov"),
}
SUFFIXES = {
    Y4M: "uncompressed",
    RAW: "uncompressed, samples alone",
    ".mkv": "FFV1, lossless",
    ".mp4": f"HEVC by libx265, crf {CRF}",
    ".mov": "as .mp4",
}


def refuse_suffix(target: Path) -> None:
    """Raise a `UserError` where no video can be written under that name."""
    if target.suffix.lower() not in SUFFIXES:
        known = ", ".join(f"{suffix} ({what})" for suffix, what in SUFFIXES.items())
        raise UserError(f"output {target} cannot be written by its suffix: give it one of {known}")


def write_video(target: Path, form: Format, frames: Iterable[Frame], source: Path | None) -> int:
    """Write a video by its suffix; returns how many frames it has.

    Containers take sound, and what samples mean, from `source`. A file that is there is
    replaced once the new one is whole.

    Raises:
        UserError: if there is no frame, or ffmpeg fails.
    """
    suffix = target.suffix.lower()
    with fresh_file(target) as partial:
        if suffix in CONTAINERS:
            name = f"output {target}"
            count = write_container(partial, CONTAINERS[suffix], form, frames, source, name)
        else:
            with partial.open("wb") as stream:
                write = _write_raw if suffix == RAW else write_y4m
                count = write(stream, form, frames)
        if not count:
            raise UserError("the video holds no frame")
    return count


def _write_raw(stream: IO[bytes], form: Format, frames: Iterable[Frame]) -> int:
    return sum(stream.write(to_bytes(frame, form)) for frame in frames) // form.frame_bytes
