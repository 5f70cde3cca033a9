"""Running ffmpeg, the one that comes with imageio-ffmpeg unless the user names another."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from stages.errors import UserError

QUIET = ("-hide_banner", "-nostdin", "-v", "error", "-y")

# Kinds of files that hold video themselves. ffmpeg looks at the content, not at the suffix, and
# would follow a playlist (ffconcat, m3u8, DASH, SDP) to any other file or server.
CONTAINERS = (
    "mov", "matroska", "avi", "asf", "flv", "ogg", "mpeg", "mpegts", "mpegvideo", "mxf", "gxf",
    "nut", "ivf", "obu", "av1", "h261", "h263", "h264", "hevc", "vvc", "evc", "m4v", "vc1", "dirac",
    "dnxhd", "apv", "cavsvideo", "avs2", "avs3", "mjpeg", "dv", "rm", "wtv", "nsv", "gif", "apng",
    "webp_anim", "yuv4mpegpipe",
)  # fmt: skip


def opening(path: Path) -> list[str]:
    """Options that open a user's file as ffmpeg's next input, and no other file through it."""
    return ["-protocol_whitelist", "file,pipe", "-format_whitelist", ",".join(CONTAINERS),
            "-i", str(path.resolve())]  # fmt: skip


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


def refuse_unless_video(path: Path) -> None:
    """Raise a `UserError` that says what a file is that holds no video."""
    if not path.stat().st_size:
        raise UserError(f"video {path} is empty (0 bytes): copy or make it again")
    listing = ["-map", "0:V?", "-map", "0:a?", "-c", "copy", "-frames:v", "1", "-frames:a", "1",
               "-f", "framecrc", "-"]  # fmt: skip
    told = called([*QUIET, *opening(path), *listing]).stdout
    if re.search(r"^#dimensions \d+: [1-9]", told, re.MULTILINE):
        return
    if set(re.findall(r"^#media_type \d+: (\w+)$", told, re.MULTILINE)) == {"audio"}:
        raise UserError(f"video {path} holds sound alone: give a file with moving pictures")
    raise UserError(
        f"video {path} cannot be read: it is text, sound, a picture, a list of other files, or "
        "damaged; give a video file, such as MP4, MOV, MKV or a bare HEVC stream"
    )


def first_line(text: str) -> str:
    """The first line that says something: what follows is told of its consequences."""
    plain = re.sub(r"^\[[^]]* @ 0x[0-9a-f]+\] ", "", text, flags=re.MULTILINE)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return lines[0] if lines else "ffmpeg does not say why"
