"""HEVC and VVC at a constant QP, in low delay and random access."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from stages.errors import UserError
from stages.video.ffmpeg import decoded, encoders, run
from stages.video.frames import Format, Frame

MODES = ("low_delay", "random_access")
GOP = 8  # pictures from one that refers to the past alone to the next, in random access


@dataclass(frozen=True)
class Codec:
    """An encoder of ffmpeg's, its streams' suffix, and the bits it codes in (None: as given)."""

    encoder: str
    suffix: str
    bits: int | None


CODECS = {"hevc": Codec("libx265", ".hevc", None), "vvc": Codec("libvvenc", ".vvc", 10)}


def encode(source: Path, target: Path, codec: str, mode: str, qp: int, preset: str) -> None:
    """Encode a Y4M file into a bare stream; with one thread, so that it is the same anywhere.

    Raises:
        UserError: if ffmpeg lacks the encoder, or it fails.
    """
    kind = CODECS[codec]
    if kind.encoder not in encoders():
        raise UserError(
            f"this ffmpeg has no encoder {kind.encoder}: install imageio-ffmpeg 0.8.1 or later and "
            f"unset IMAGEIO_FFMPEG_EXE, or take {codec} out of the codecs in params.yaml"
        )
    options = encoder_options(codec, mode, qp, preset)
    run(
        ["-i", str(source), "-threads", "1", "-c:v", kind.encoder, *options,
         "-f", kind.suffix.removeprefix("."), str(target)],
        f"encoding {source.name} with {kind.encoder}",
    )  # fmt: skip


def encoder_options(codec: str, mode: str, qp: int, preset: str) -> list[str]:
    """What tells the encoder its preset, its QP, and which pictures refer to which.

    Low delay: one intra picture, then pictures that refer to the past, in their order. Random
    access: intra pictures about every second, between them a hierarchy of B pictures. Tools that
    trade PSNR for looks are off.
    """
    options = _hevc(mode, qp) if codec == "hevc" else _vvc(mode)
    if codec == "vvc":
        return ["-preset", preset, "-qp", str(qp), "-qpa", "0", "-vvenc-params", options]
    return ["-preset", preset, "-x265-params", options]


def _hevc(mode: str, qp: int) -> str:
    alone = f"log-level=error:info=0:pools=none:frame-threads=1:qp={qp}:scenecut=0:psy-rd=0"
    if mode == "low_delay":
        return f"{alone}:psy-rdoq=0:bframes=0:rc-lookahead=0:keyint=-1"
    return f"{alone}:psy-rdoq=0:bframes={GOP - 1}:b-adapt=0:b-pyramid=1:open-gop=1:keyint=32"


def _vvc(mode: str) -> str:
    if mode == "low_delay":
        return "MCTF=0:BIM=0:PicReordering=0:DecodingRefreshType=none:GOPSize=8:IntraPeriod=-1"
    return f"MCTF=0:BIM=0:POC0IDR=1:GOPSize={2 * GOP}:RefreshSec=1"


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
    """Kilobits a second of a stream."""
    return stream.stat().st_size * 8 * float(rate) / frames / 1000
