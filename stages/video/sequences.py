"""Test sequences on disk: originals and what is encoded, as Y4M, and streams of them."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tqdm import tqdm

from stages.artifacts import read_json, write_json
from stages.errors import UserError
from stages.settings import Codec
from stages.video.codecs import CODECS, encode, encoder_of
from stages.video.decoding import decoded
from stages.video.frames import Format, Frame
from stages.video.recoding import write_for
from stages.video.resizing import resized_format, shrunk
from stages.video.y4m import format_of, save_y4m

LIST = "sequences.json"
SIZES = "bytes.json"


@dataclass(frozen=True)
class VideoSequence:
    """A sequence and where it lies; `form` is the original's."""

    name: str
    folder: Path
    form: Format
    frames: int

    def original(self) -> list[Frame]:
        return _all_of(self.folder / "original.y4m")

    def low(self) -> list[Frame]:
        return _all_of(self.folder / "low.y4m")


Given = tuple[str, Format, Iterable[Frame]]


def write_sequences(folder: Path, given: Iterable[Given], scale: int, kernel: str) -> list[str]:
    """Write `NAME/original.y4m`, `NAME/low.y4m` and a list; returns the names.

    Raises:
        UserError: if two of them have the same name.
    """
    counts: dict[str, int] = {}
    for name, form, frames in given:
        if name in counts:
            raise UserError(f"several test sequences are called {name}: rename one")
        kept = list(frames)
        low = shrunk(kept, form, scale, kernel)
        (folder / name).mkdir(parents=True)
        counts[name] = save_y4m(folder / name / "original.y4m", form, kept)
        save_y4m(folder / name / "low.y4m", resized_format(form, 1, scale), low)
    write_json(folder / LIST, {"schema": 1, "frames": counts})
    return list(counts)


def read_sequences(folder: Path) -> list[VideoSequence]:
    """The sequences of a folder, in the order of their names."""
    counts = read_json(folder / LIST)["frames"]
    return [
        VideoSequence(name, folder / name, format_of(folder / name / "original.y4m"), counts[name])
        for name in sorted(counts)
    ]


def stream_path(folder: Path, sequence: str, codec: str, mode: str) -> Path:
    """Where the stream of a sequence is, among those of one QP."""
    return folder / f"{codec}_{mode}" / f"{sequence}{CODECS[codec].suffix}"


def whole_stream(folder: Path, sequence: str, codec: str, mode: str) -> Path:
    """The path of a stream.

    Raises:
        UserError: if it is not there, or not as long as the encoder wrote it: a decoder does not
            tell where the last frame lost its end.
    """
    path = stream_path(folder, sequence, codec, mode)
    expected = read_json(folder / SIZES).get(path.relative_to(folder).as_posix())
    found = path.stat().st_size if path.is_file() else 0
    if found != expected:
        raise UserError(
            f"stream {path} has {found:,} bytes, not as many as were written: delete its folder "
            "and run `dvc repro` again"
        )
    return path


def encode_all(sequences: Sequence[VideoSequence], asked: Codec, qp: int, folder: Path) -> int:
    """Encode every sequence with every codec in every mode; returns how many streams that made.

    Raises:
        UserError: if an encoder is missing or fails; the rest is not begun then.
    """
    for codec in asked.codecs:
        encoder_of(codec)
    begun: dict[Path, Future[None]] = {}
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(os.cpu_count()) as pool:
        for codec, sequence in product(asked.codecs, sequences):
            source = Path(temporary) / f"{sequence.name}_{codec}.y4m"
            write_for(codec, source, sequence.low(), format_of(sequence.folder / "low.y4m"))
            for mode in asked.modes:
                target = stream_path(folder, sequence.name, codec, mode)
                target.parent.mkdir(exist_ok=True)
                preset = getattr(asked.presets, codec)
                begun[target] = pool.submit(encode, source, target, codec, mode, qp, preset)
        try:
            for future in tqdm(begun.values(), f"QP {qp}", unit="stream", disable=None):
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in begun}
    write_json(folder / SIZES, sizes)
    return len(begun)


def _all_of(path: Path) -> list[Frame]:
    with decoded(path) as (_, frames):
        return list(frames)
