"""Frames through ffmpeg into a container, with the sound and the meaning of samples of a source."""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from stages.errors import UserError
from stages.video.ffmpeg import QUIET, description, executable, first_line
from stages.video.frames import Format, Frame
from stages.video.y4m import write_y4m

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
    taken = [] if source is None else ["-i", str(source)]
    kept = [] if source is None else ["-map", "1:a?", "-c:a", "copy", *_meaning(source)]
    command = [executable(), *QUIET, "-f", "yuv4mpegpipe", "-i", "-", *taken, "-map", "0:v", *kept,
               "-fps_mode", "passthrough", "-strict", "-1", *options, str(target)]  # fmt: skip
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=told)
        try:
            count = _feed(process, form, frames)
            failed = process.wait()
        finally:
            process.kill()
            process.wait()
        if failed:
            told.seek(0)
            reason = first_line(told.read().decode(errors="replace"))
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
    found = re.search(
        r"Stream #.*?: Video: .*?, [a-z]+[a-z0-9]*\(([^)]*)\)(.*)", description(source)
    )
    if found is None:
        return []
    settings = _told(found[1].split(", "))
    filters = [f"setparams={':'.join(f'{k}={v}' for k, v in settings.items())}"] if settings else []
    if shape := re.search(r"SAR (\d+):(\d+)", found[2]):
        filters.append(f"setsar={shape[1]}/{shape[2]}")
    # An encoder that is not told the range has samples converted to its own.
    kept = ["-color_range", settings["range"]] if "range" in settings else []
    return [*(["-vf", ",".join(filters)] if filters else []), *kept]


def _told(words: Sequence[str]) -> dict[str, str]:
    if any(word.startswith("gbr") for word in words):  # it became another kind when it was read
        return {}
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
