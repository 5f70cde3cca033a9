"""Video files from the user's own folder: frames as pictures, and sequences."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path

from stages.datasets.parts import files_below, part_folders
from stages.datasets.upsampling.samples import CLEAN, Picture, coding_name
from stages.errors import UserError
from stages.settings import UpsamplingData, Video
from stages.sources.upsampling.folder import split_names
from stages.video.decoding import decoded
from stages.video.frames import Format, Frame, Plane, as_fractions
from stages.video.recoding import recoded
from stages.video.resizing import cut_to, resized_format, shrunk, whole_multiples

RAW = ".yuv"
SUFFIXES = {".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".ogv", ".mpg",
            ".mpeg", ".m2v", ".ts", ".mts", ".m2ts", ".mxf", ".y4m", ".h264", ".264", ".hevc",
            ".h265", ".265", ".vvc", ".266", ".ivf", ".obu", RAW}  # fmt: skip


def video_files(folder: Path, validation: float, test: float, seed: int) -> dict[str, list[Path]]:
    """Video files of a folder by part: its `train/`, `validation/` and `test/`, or split at random.

    Raises:
        UserError: if the folder is missing, there are too few files, or a part has none.
    """
    part_roots = part_folders(folder)
    if part_roots:
        found = {part: _listed(root) for part, root in part_roots.items()}
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
    """The format of a file, and the frames in the range that the settings name, as far as it goes.

    Raises:
        UserError: if it cannot be read to the end of the range, or the range holds no frame.
    """
    last = None if video.count is None else video.first + video.count
    with decoded(path, _raw_format(path, video)) as (form, frames):
        yield form, _some(islice(frames, video.first, last), path, video)


def _raw_format(path: Path, video: Video) -> Format | None:
    if path.suffix.lower() != RAW:
        return None
    if video.raw is None:
        raise UserError(f"{path} does not say its size: set data.upsampling.video.raw")
    height, width = video.raw.frame
    return Format(width, height, video.raw.bits, Fraction(video.raw.rate).limit_denominator(1001))


def _some(frames: Iterator[Frame], path: Path, video: Video) -> Iterator[Frame]:
    first = next(frames, None)
    if first is None:
        raise UserError(
            f"video {path} has no frames from {video.first} on: see data.upsampling.video.first"
        )
    yield first
    yield from frames


def video_pairs(path: Path, data: UpsamplingData) -> Iterator[Picture]:
    """Every so many frames of a video at both resolutions, clean and coded as the settings say."""
    stride, coded = data.video.stride, data.coded
    highs: list[Plane] = []
    lows: list[Plane] = []
    with opened(path, data.video) as (part_roots, frames):
        form = whole_multiples(part_roots, data.scale, str(path))
        small = resized_format(form, 1, data.scale)
        kept = _keeping((cut_to(frame, form) for frame in frames), highs, stride)
        shown = _keeping(shrunk(kept, form, data.scale, data.filter), lows, stride)
        versions = recoded(shown, small, coded.codec, coded.qps, stride)
    targets = [as_fractions(high, form) for high in highs]  # shared by all versions
    named = {CLEAN: (small, lows)} if coded.clean else {}
    for qp, (made, coded_frames) in zip(coded.qps, versions, strict=True):
        named[coding_name(coded.codec, qp)] = made, [luma for luma, _, _ in coded_frames]
    for coding, (made, lumas) in named.items():
        for number, (high, low) in enumerate(zip(targets, lumas, strict=True)):
            name = f"{path.stem}_{data.video.first + number * stride:05}"
            bits = max(form.bits, made.bits)
            yield Picture(name, high, bits, as_fractions(low, made), coding)


def _keeping(frames: Iterable[Frame], lumas: list[Plane], stride: int) -> Iterator[Frame]:
    """Pass frames on, and keep the luma of one in `stride`."""
    for number, frame in enumerate(frames):
        if number % stride == 0:
            lumas.append(frame[0])
        yield frame
