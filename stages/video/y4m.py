"""YUV4MPEG2 and raw files: uncompressed frames, one after the other."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO

from stages.errors import UserError
from stages.video.frames import Format, Frame, from_bytes, to_bytes

MAGIC, FRAME = b"YUV4MPEG2", b"FRAME"
COLOURS = {"420jpeg": 8, "420mpeg2": 8, "420paldv": 8, "420": 8, "420p10": 10}


def read_y4m(stream: IO[bytes], name: str) -> tuple[Format, Iterator[Frame]]:
    """Read the head of a stream, and its frames as they are asked for.

    Raises:
        UserError: if it is no such stream, is not 4:2:0 of 8 or 10 bits, or ends inside a frame.
    """
    magic, *words = stream.readline().split()[:64] or [b""]
    if magic != MAGIC:
        raise UserError(f"video {name} has no frames that can be read")
    fields = {word[:1].decode(): word[1:].decode() for word in reversed(words)}
    colour = fields.get("C", "420")
    if colour not in COLOURS:
        raise UserError(f"video {name} holds {colour}: give 4:2:0 of 8 or 10 bits")
    try:
        rate = Fraction(fields["F"].replace(":", "/"))
        form = Format(int(fields["W"]), int(fields["H"]), COLOURS[colour], rate)
    except (KeyError, ValueError, ZeroDivisionError):
        raise UserError(
            f"video {name} does not say its size and rate: its head is damaged"
        ) from None
    except UserError as error:
        raise UserError(f"video {name}: {error}") from None
    return form, _frames(stream, form, name, FRAME)


def format_of(path: Path) -> Format:
    """What the head of a Y4M file says."""
    with path.open("rb") as stream:
        return read_y4m(stream, str(path))[0]


def save_y4m(path: Path, form: Format, frames: Iterable[Frame]) -> int:
    """Write a Y4M file; returns the number of frames."""
    with path.open("wb") as stream:
        return write_y4m(stream, form, frames)


def write_y4m(stream: IO[bytes], form: Format, frames: Iterable[Frame]) -> int:
    """Write frames with a head; returns how many there were."""
    rate, colour = form.rate, "420jpeg" if form.bits == 8 else "420p10"
    head = f"W{form.width} H{form.height} F{rate.numerator}:{rate.denominator} Ip A1:1 C{colour}"
    stream.write(MAGIC + f" {head}\n".encode())
    count = 0
    for frame in frames:
        stream.write(FRAME + b"\n" + to_bytes(frame, form))
        count += 1
    return count


def read_raw(path: Path, form: Format) -> Iterator[Frame]:
    """Frames of a file that holds nothing but samples.

    Raises:
        UserError: if its size is not a whole number of frames of that format.
    """
    size = path.stat().st_size
    if size % form.frame_bytes or not size:
        raise UserError(
            f"raw video {path} has {size:,} bytes, no whole number of frames of {form.width} x "
            f"{form.height} in {form.bits} bits ({form.frame_bytes:,} bytes each): name its format"
        )
    return _opened(path, form)


def _opened(path: Path, form: Format) -> Iterator[Frame]:
    with path.open("rb") as stream:
        yield from _frames(stream, form, str(path), b"")


def _frames(stream: IO[bytes], form: Format, name: str, mark: bytes) -> Iterator[Frame]:
    """Frames to the end of a stream; `mark` begins the line before each, if it is not empty."""
    while True:
        head = stream.readline() if mark else b""
        content = stream.read(form.frame_bytes)
        if not head and not content:
            return
        if not head.startswith(mark) or len(content) < form.frame_bytes:
            raise UserError(f"video {name} ends inside a frame: it was cut short")
        yield from_bytes(content, form)
