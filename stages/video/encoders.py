"""HEVC and VVC at a constant QP, in low delay and random access."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

from stages.errors import UserError
from stages.video.decoding import decoded
from stages.video.ffmpeg import encoders, run
from stages.video.frames import Format, Frame
from stages.video.y4m import format_of

GOPS = {"hevc": 8, "vvc": 16}  # pictures from one that refers to the past alone to the next


@dataclass(frozen=True)
class Encoder:
    """An encoder of ffmpeg's, its streams' suffix, and the bits it codes in (None: as given)."""

    name: str
    suffix: str
    bits: int | None


CODECS = {"hevc": Encoder("libx265", ".hevc", None), "vvc": Encoder("libvvenc", ".vvc", 10)}


def encoder_of(codec: str) -> Encoder:
    """The encoder of a codec.

    Raises:
        UserError: if ffmpeg lacks it.
    """
    found = CODECS[codec]
    if found.name not in encoders():
        raise UserError(
            f"this ffmpeg has no encoder {found.name}: install imageio-ffmpeg 0.8.1 or later and "
            f"unset IMAGEIO_FFMPEG_EXE, or take {codec} out of the codecs in params.yaml"
        )
    return found


def encode(source: Path, target: Path, codec: str, mode: str, qp: int, preset: str) -> None:
    """Encode a Y4M file into a bare stream; with one thread, so that it is the same anywhere.

    Raises:
        UserError: if ffmpeg lacks the encoder, or it fails.
    """
    encoder = encoder_of(codec)
    options = encoder_options(codec, mode, qp, preset, format_of(source).rate)
    run(
        ["-i", str(source), "-threads", "1", "-c:v", encoder.name, *options,
         "-f", encoder.suffix.removeprefix("."), str(target)],
        f"encoding {source.name} with {encoder.name}",
    )  # fmt: skip


def encoder_options(codec: str, mode: str, qp: int, preset: str, rate: Fraction) -> list[str]:
    """What tells the encoder its preset, its QP, and which pictures refer to which.

    Low delay: one intra picture, then pictures that refer to the past, in their order. Random
    access: an intra picture about every second, as common test conditions have it, between them a
    hierarchy of B pictures. Tools that trade PSNR for looks are off.
    """
    longest = max(GOPS.values())
    period = None if mode == "low_delay" else ceil(rate / longest) * longest
    if codec == "vvc":
        params = f"MCTF=0:BIM=0:{_vvc(period)}"
        return ["-preset", preset, "-qp", str(qp), "-qpa", "0", "-vvenc-params", params]
    params = f"log-level=error:info=0:pools=none:frame-threads=1:qp={qp}:scenecut=0:psy-rd=0"
    return ["-preset", preset, "-x265-params", f"{params}:psy-rdoq=0:{_hevc(period)}"]


def _hevc(period: int | None) -> str:
    if period is None:
        return "bframes=0:rc-lookahead=0:keyint=-1"
    return f"bframes={GOPS['hevc'] - 1}:b-adapt=0:b-pyramid=1:open-gop=1:keyint={period}"


def _vvc(period: int | None) -> str:
    if period is None:
        return "PicReordering=0:DecodingRefreshType=none:GOPSize=8:IntraPeriod=-1"
    return f"POC0IDR=1:GOPSize={GOPS['vvc']}:IntraPeriod={period}"


def frames_of(stream: Path, expected: int, stride: int = 1) -> tuple[Format, list[Frame]]:
    """One in `stride` frames of a stream.

    Raises:
        UserError: if it does not hold as many frames as expected.
    """
    found, count = [], 0
    with decoded(stream) as (form, frames):
        for frame in frames:
            if count % stride == 0:
                found.append(frame)
            count += 1
    if count != expected:
        raise UserError(
            f"stream {stream} gives {count} of {expected} frames: delete it and run "
            "`dvc repro` again"
        )
    return form, found


def rate_kbps(stream: Path, frames: int, rate: Fraction) -> float:
    """Kilobits per second of a stream."""
    return stream.stat().st_size * 8 * float(rate) / frames / 1000
