"""Test sequences on disk: originals and what is encoded, as Y4M."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.artifacts import read_json, write_json
from stages.errors import UserError
from stages.video.decoding import decoded
from stages.video.frames import Format, Frame
from stages.video.resizing import resized_format, shrunk
from stages.video.y4m import format_of, save_y4m

LIST = "sequences.json"


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


def write_sequences(folder: Path, sequences: Iterable[Given], scale: int, kernel: str) -> list[str]:
    """Write `NAME/original.y4m`, `NAME/low.y4m` and a list; returns the names.

    Raises:
        UserError: if two of them have the same name.
    """
    counts: dict[str, int] = {}
    for name, form, frames in sequences:
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


def _all_of(path: Path) -> list[Frame]:
    with decoded(path) as (_, frames):
        return list(frames)
