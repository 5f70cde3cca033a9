"""Frames through ffmpeg into a container, with the sound and the meaning of samples of a source."""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from stages.errors import UserError
from stages.video.ffmpeg import QUIET, executable, first_line, stream_info_of
from stages.video.frames import Format, Frame
from stages.video.y4m import write_y4m

YUV = r"yuv|yuyv|uyvy|yvyu|nv\d|[py]\d"  # kinds of samples that are luma and chroma
RANGES = ("tv", "pc")  # luma of 16 to 235, or 0 to 255
LOCATIONS = ("left", "center", "topleft", "top", "bottomleft", "bottom")
COLOURS = ("bt709", "smpte170m", "smpte240m", "bt470bg")  # that name matrix, primaries and curve


def write_container(
    target: Path,
    options: Sequence[str],
    form: Format,
    frames: Iterable[Frame],
    source: Path | None,
    name: str,
) -> int:
    """Encode frames with ffmpeg's `options`; returns how many. `name` is what messages call it.

    Raises:
        UserError: if ffmpeg fails.
    """
    taken = [] if source is None else ["-i", str(source.resolve())]
    kept = [] if source is None else ["-map", "1:a?", "-c:a", "copy", *_meaning(source)]
    made = ["-fps_mode", "passthrough", "-strict", "-1", *options, str(target.resolve())]
    command = [executable(), *QUIET, "-f", "yuv4mpegpipe", "-i", "-", *taken, "-map", "0:v", *kept,
               *made]  # fmt: skip
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
        try:
            count = _feed(process, form, frames)
            failed = process.wait()
        finally:
            process.kill()
            process.wait()
        if failed:
            log.seek(0)
            reason = first_line(log.read().decode(errors="replace"))
            raise UserError(f"{name} cannot be written: {reason}")
    return count


def _feed(process: "subprocess.Popen[bytes]", form: Format, frames: Iterable[Frame]) -> int:
    assert process.stdin is not None
    try:
        with process.stdin as stream:
            return write_y4m(stream, form, frames)
    except BrokenPipeError:  # it ended early, and its exit status says so
        return 0


def _meaning(source: Path) -> list[str]:
    """What a source says of its samples, as ffmpeg's options: Y4M does not carry it.

    That is their range, colours, where chroma lies, and the shape of a pixel.
    """
    info = stream_info_of(source)
    # What was no luma and chroma became so when it was read, in ffmpeg's own range and colours.
    settings = _meaning_of(info.words) if re.match(YUV, info.kind) else {}
    filters = [f"setparams={':'.join(f'{k}={v}' for k, v in settings.items())}"] if settings else []
    if shape := re.search(r"SAR (\d+):(\d+)", info.rest):
        filters.append(f"setsar={shape[1]}/{shape[2]}")
    # An encoder that is not told the range has samples converted to its own.
    kept = ["-color_range", settings["range"]] if "range" in settings else []
    return [*(["-vf", ",".join(filters)] if filters else []), *kept]


def _meaning_of(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        if word in RANGES:
            found["range"] = word
        elif word in LOCATIONS:
            found["chroma_location"] = word
        elif "/" in word or word in COLOURS:
            names = word.split("/") if "/" in word else [word] * 3
            found |= zip(("colorspace", "color_primaries", "color_trc"), names, strict=False)
    return found
