"""Frames through ffmpeg into a container, with the sound and the meaning of samples of a source."""

import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from stages.errors import UserError
from stages.upscaling.meaning import meaning
from stages.video.ffmpeg import QUIET, executable, first_line, opening
from stages.video.frames import Format, Frame
from stages.video.y4m import write_y4m


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
    taken = [] if source is None else opening(source)
    kept = [] if source is None else ["-map", "1:a?", "-c:a", "copy", *meaning(source)]
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
