"""The frames of any file that ffmpeg reads, as 4:2:0 of 8 or 10 bits."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stages.errors import UserError
from stages.video.ffmpeg import QUIET, executable, first_line, opening, refuse_unless_video
from stages.video.frames import Format, Frame
from stages.video.y4m import read_raw, read_y4m

# What is neither becomes the one that loses less of it: ffmpeg chooses.
KINDS = ("-vf", "format=yuv420p|yuv420p10le")
FIRST = "0:V:0"  # the first video stream that is no cover of an album


@contextmanager
def decoded(path: Path, raw: Format | None = None) -> Iterator[tuple[Format, Iterator[Frame]]]:
    """The frames of a file, decoded as they are asked for; `raw` is the format of a raw one.

    What is not 4:2:0 of 8 or 10 bits becomes so, but for Y4M, which is read here: ffmpeg leaves out
    a frame that was cut short without a word. Stopping early stops the decoder.

    Raises:
        UserError: if the file is missing, has not the format given, or cannot be decoded to its
            end.
    """
    if not path.is_file():
        raise UserError(f"video {path} does not exist")
    if raw:
        yield raw, read_raw(path, raw)
    elif path.suffix.lower() == ".y4m":
        with path.open("rb") as stream:
            yield read_y4m(stream, str(path))
    else:
        with _through_ffmpeg(path) as video:
            yield video


@contextmanager
def _through_ffmpeg(path: Path) -> Iterator[tuple[Format, Iterator[Frame]]]:
    command = [executable(), *QUIET, "-xerror", *opening(path), "-map", FIRST, *KINDS,
               "-fps_mode", "passthrough", "-strict", "-1", "-f", "yuv4mpegpipe", "-"]  # fmt: skip
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        try:
            yield _checked(process, process.stdout, log, path)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _checked(
    process: "subprocess.Popen[bytes]", stream: IO[bytes], log: IO[bytes], path: Path
) -> tuple[Format, Iterator[Frame]]:
    def refuse_failure() -> None:
        if stream.read(1):  # it has not failed but goes on, and waits for someone to read
            return
        failed = process.wait()
        log.seek(0)
        text = log.read().decode(errors="replace")
        if failed or text.strip():
            refuse_unless_video(path)
            raise UserError(f"video {path} cannot be decoded: {first_line(text)}")

    def frames(read: Iterator[Frame]) -> Iterator[Frame]:
        try:
            yield from read
        except UserError:
            refuse_failure()
            raise
        refuse_failure()

    try:
        form, read = read_y4m(stream, str(path))
    except UserError:
        refuse_failure()
        raise
    return form, frames(read)
