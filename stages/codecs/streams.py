"""Streams of the test sequences, in every codec and mode, on disk."""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from pathlib import Path

from tqdm import tqdm

from stages.artifacts import read_json, write_json
from stages.errors import UserError
from stages.settings import Codec
from stages.video.encoders import CODECS, encode, encoder_of
from stages.video.recoding import write_for
from stages.video.sequences import VideoSequence
from stages.video.y4m import format_of

SIZES = "bytes.json"


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


def encode_all(sequences: Sequence[VideoSequence], settings: Codec, qp: int, folder: Path) -> int:
    """Encode every sequence with every codec in every mode; returns how many streams that made.

    Raises:
        UserError: if an encoder is missing or fails; the rest is not begun then.
    """
    for codec in settings.codecs:
        encoder_of(codec)
    begun: dict[Path, Future[None]] = {}
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(os.cpu_count()) as pool:
        for codec, sequence in product(settings.codecs, sequences):
            source = Path(temporary) / f"{sequence.name}_{codec}.y4m"
            write_for(codec, source, sequence.low(), format_of(sequence.folder / "low.y4m"))
            for mode in settings.modes:
                target = stream_path(folder, sequence.name, codec, mode)
                target.parent.mkdir(exist_ok=True)
                preset = getattr(settings.presets, codec)
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
