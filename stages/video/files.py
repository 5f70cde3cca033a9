"""Video files from the user's own folder: frames as pictures, and sequences."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path

from stages.errors import UserError
from stages.settings import UpsamplingData, Video
from stages.sources.folder import split_names
from stages.sources.parts import files_below, part_folders
from stages.sources.pictures import CLEAN, Luma, Picture
from stages.video.ffmpeg import decoded
from stages.video.frames import Format, Frame, as_fractions
from stages.video.recoding import recoded
from stages.video.resizing import cut_to, resized_format, shrunk, whole_multiples
from stages.video.stills import coding_name
from stages.video.y4m import read_raw

RAW = ".yuv"
SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".ts", ".mxf", ".y4m", ".h264", ".264",
            ".hevc", ".h265", ".265", ".vvc", ".266", ".ivf", ".obu", RAW}  # fmt: skip


def video_files(folder: Path, validation: float, test: float, seed: int) -> dict[str, list[Path]]:
    """Video files of a folder by part: its `train/`, `validation/` and `test/`, or split at random.

    Raises:
        UserError: if the folder is missing, there are too few files, or a part has none.
    """
    given = part_folders(folder)
    if given:
        found = {part: _listed(root) for part, root in given.items()}
    else:
        names = {path.relative_to(folder).as_posix(): path for path in _listed(folder)}
        parts = split_names(list(names), validation, test, seed, "videos")
        found = {part: [names[name] for name in chosen] for part, chosen in parts.items()}
    return found


def _listed(folder: Path) -> list[Path]:
    found = files_below(folder, SUFFIXES)
    if not found:
        raise UserError(f"data folder {folder} holds no video ({', '.join(sorted(SUFFIXES))})")
    return found


@contextmanager
def opened(path: Path, video: Video) -> Iterator[tuple[Format, Iterator[Frame]]]:
    """The format of a file, and the frames in the range that the settings name.

    Raises:
        UserError: if it cannot be read to the end of the range, or the range holds no frame.
    """
    last = None if video.count is None else video.first + video.count
    if path.suffix.lower() != RAW:
        with decoded(path) as (form, frames):
            yield form, _some(islice(frames, video.first, last), path, video)
        return
    if video.raw is None:
        raise UserError(f"{path} does not say its size: set data.upsampling.video.raw")
    height, width = video.raw.size
    form = Format(width, height, video.raw.bits, Fraction(video.raw.rate).limit_denominator(1001))
    yield form, _some(islice(read_raw(path, form), video.first, last), path, video)


def _some(frames: Iterator[Frame], path: Path, video: Video) -> Iterator[Frame]:
    first = next(frames, None)
    if first is None:
        raise UserError(
            f"video {path} has no frames from {video.first} on: see data.upsampling.video.first"
        )
    yield first
    yield from frames


def video_pairs(path: Path, data: UpsamplingData) -> Iterator[Picture]:
    """Every so many frames of a video at both resolutions, clean and coded as the settings say.

    The whole range is coded, so that what is taken was predicted from its neighbours.
    """
    with opened(path, data.video) as (given, frames):
        form = whole_multiples(given, data.scale, str(path))
        highs: list[Luma] = []
        small = resized_format(form, 1, data.scale)
        kept = _keeping((cut_to(f, form) for f in frames), highs, form, data.video.stride)
        lows = list(shrunk(kept, form, data.scale, data.filter))
    versions = {CLEAN: (small, lows)} if data.coded.clean else {}
    coded = recoded(lows, small, data.coded.codec, data.coded.qps)
    for qp, version in zip(data.coded.qps, coded, strict=True):
        versions[coding_name(data.coded.codec, qp)] = version
    for coding, (made, all_frames) in versions.items():
        for number, (high, low) in enumerate(
            zip(highs, all_frames[:: data.video.stride], strict=True)
        ):
            frame = data.video.first + number * data.video.stride
            name = f"{path.stem}_{frame:05}"
            bits = max(form.bits, made.bits)
            yield Picture(name, high, bits, as_fractions(low[0], made), coding)


def _keeping(
    frames: Iterator[Frame], highs: list[Luma], form: Format, stride: int
) -> Iterator[Frame]:
    """Pass frames on, and keep the luma of every so many."""
    for number, frame in enumerate(frames):
        if number % stride == 0:
            highs.append(as_fractions(frame[0], form))
        yield frame
