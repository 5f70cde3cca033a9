"""Running ffmpeg, the one that comes with imageio-ffmpeg unless the user names another."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stages.errors import UserError

QUIET = ("-hide_banner", "-nostdin", "-v", "error", "-y")


@cache
def executable() -> str:
    """The path of ffmpeg.

    Raises:
        UserError: if there is none.
    """
    import imageio_ffmpeg

    try:
        found = str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise UserError(f"there is no ffmpeg: {error}") from None
    if shutil.which(found) is None:
        raise UserError(f"there is no ffmpeg at {found}: mend or unset IMAGEIO_FFMPEG_EXE")
    return found


@cache
def encoders() -> frozenset[str]:
    """Names of the encoders that this ffmpeg has."""
    log = called(["-hide_banner", "-encoders"]).stdout
    return frozenset(re.findall(r"^ [VAS]\S{5} (\S+)", log, re.MULTILINE))


def called(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run ffmpeg to its end, whatever comes of it."""
    return subprocess.run(
        [executable(), *arguments], capture_output=True, text=True, check=False, errors="replace"
    )


def run(arguments: Sequence[str], what: str) -> str:
    """Run ffmpeg to its end; returns what it wrote on stderr.

    Raises:
        UserError: with `what` failed and ffmpeg's first line, if it did.
    """
    done = called([*QUIET, *arguments])
    if done.returncode:
        raise UserError(f"{what}: {first_line(done.stderr)}")
    return done.stderr


@dataclass(frozen=True)
class StreamInfo:
    """What ffmpeg tells of a video: how samples are stored, such as `yuv420p10le`, words on what
    they mean, and sides and rates."""

    kind: str
    words: tuple[str, ...]
    rest: str


def stream_info_of(path: Path) -> StreamInfo:
    """What ffmpeg tells of the first video stream of a file.

    Raises:
        UserError: if there is none.
    """
    probe = ["-hide_banner", "-nostdin", "-v", "verbose", "-i", str(path.resolve())]
    log = called(probe).stderr
    found = re.search(r"Stream #.*?: Video: .*?, ([a-z]+[a-z0-9]*)(?:\(([^)]*)\))?(?=,)(.*)", log)
    if found is None:
        raise UserError(f"video {path} cannot be read: {first_line(log)}")
    return StreamInfo(found[1], tuple((found[2] or "").split(", ")), found[3])


def first_line(text: str) -> str:
    """The first line that says something: what follows is told of its consequences."""
    plain = re.sub(r"^\[[^]]* @ 0x[0-9a-f]+\] ", "", text, flags=re.MULTILINE)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return lines[0] if lines else "ffmpeg does not say why"
