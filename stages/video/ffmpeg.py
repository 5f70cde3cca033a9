"""Running ffmpeg, the one that comes with imageio-ffmpeg unless the user names another."""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from stages.errors import UserError
from stages.video.frames import Format, Frame
from stages.video.y4m import read_y4m

QUIET = ("-hide_banner", "-nostdin", "-v", "error", "-y")
KEPT = ("yuv420p", "yuvj420p", "yuv420p10le")  # sample formats that need no conversion


@cache
def executable() -> str:
    """The path of ffmpeg.

    Raises:
        UserError: if there is none.
    """
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise UserError(f"there is no ffmpeg: {error}") from None


@cache
def encoders() -> frozenset[str]:
    """Names of the encoders that this ffmpeg has."""
    told = subprocess.run(
        [executable(), "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    )
    return frozenset(re.findall(r"^ [VAS]\S{5} (\S+)", told.stdout, re.MULTILINE))


def run(arguments: Sequence[str], what: str) -> str:
    """Run ffmpeg to its end; returns what it wrote on stderr.

    Raises:
        UserError: with `what` failed and ffmpeg's first line, if it did.
    """
    done = subprocess.run(
        [executable(), *QUIET, *arguments], capture_output=True, text=True, check=False,
        errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise UserError(f"{what}: {first_line(done.stderr)}")
    return done.stderr


@contextmanager
def decoded(path: Path) -> Iterator[tuple[Format, Iterator[Frame]]]:
    """The frames of a file that ffmpeg can read, decoded as they are asked for.

    What is not 4:2:0 of 8 or 10 bits becomes so, but for Y4M, which is read here: ffmpeg leaves out
    a frame that was cut short without a word. Stopping early stops the decoder.

    Raises:
        UserError: if the file is missing or cannot be decoded to its end.
    """
    if not path.is_file():
        raise UserError(f"video {path} does not exist")
    if path.suffix.lower() == ".y4m":
        with path.open("rb") as stream:
            yield read_y4m(stream, str(path))
        return
    kind = _sample_format(path)
    form = [] if kind in KEPT else ["-pix_fmt", "yuv420p10le" if _is_deep(kind) else "yuv420p"]
    command = [executable(), *QUIET, "-xerror", "-i", str(path), "-map", "0:v:0", *form,
               "-fps_mode", "passthrough", "-strict", "-1", "-f", "yuv4mpegpipe", "-"]  # fmt: skip
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told)
        assert process.stdout is not None
        try:
            yield _checked(process, process.stdout, told, path)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _checked(
    process: "subprocess.Popen[bytes]", stream: IO[bytes], told: IO[bytes], path: Path
) -> tuple[Format, Iterator[Frame]]:
    def refuse_failure() -> None:
        if stream.read(1):  # it has not failed but goes on, and waits for someone to read
            return
        failed = process.wait()
        told.seek(0)
        text = told.read().decode(errors="replace")
        if failed or text.strip():
            raise UserError(f"video {path} cannot be decoded: {first_line(text)}")

    def frames(given: Iterator[Frame]) -> Iterator[Frame]:
        try:
            yield from given
        except UserError:
            refuse_failure()
            raise
        refuse_failure()

    try:
        form, given = read_y4m(stream, str(path))
    except UserError:
        refuse_failure()
        raise
    return form, frames(given)


def description(path: Path) -> str:
    """What ffmpeg tells of a file and its streams, or why it cannot be read."""
    return subprocess.run(
        [executable(), "-hide_banner", "-nostdin", "-v", "verbose", "-i", str(path)],
        capture_output=True, text=True, check=False, errors="replace",
    ).stderr  # fmt: skip


def _sample_format(path: Path) -> str:
    """How ffmpeg says that samples are stored, such as `yuv420p10le`."""
    told = description(path)
    found = re.search(r"Stream #.*?: Video: .*?, ([a-z]+[a-z0-9]*)(?=[(,])", told)
    if found is None:
        raise UserError(f"video {path} cannot be read: {first_line(told)}")
    return found[1]


def _is_deep(kind: str) -> bool:
    """Whether samples have more than 8 bits: only then has their order of bytes a name."""
    return kind.endswith(("le", "be")) and not re.match(r"(rgb|bgr)(444|555|565)", kind)


def first_line(text: str) -> str:
    """The first line that says something: what follows is told of its consequences."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "ffmpeg does not say why"
