"""Labelled pictures from the user's own folder: a folder per class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.datasets.classification.samples import Labelled, Split
from stages.datasets.parts import is_shown, part_folders
from stages.datasets.picture_files import look_through, picture_files
from stages.datasets.pictures import read_pixels
from stages.errors import UserError
from stages.settings import Pictures


@dataclass(frozen=True)
class PictureFiles:
    """Pictures that are read, and resized to one size, when they are asked for.

    Asking for one raises a `UserError` if it cannot be read, or is not as large as the first.
    """

    paths: Sequence[Path]
    pictures: Pictures

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        pixels = resized(self._read(index), self.pictures.side)
        size = pixels.shape[:2]
        if size != self._size:
            sides = f"{size[0]} x {size[1]}, others are {self._size[0]} x {self._size[1]}"
            raise UserError(
                f"picture {self.paths[index]} is {sides}: set data.classification.pictures.side to "
                "resize them all"
            )
        return pixels

    @cached_property
    def _size(self) -> tuple[int, ...]:
        return resized(self._read(0), self.pictures.side).shape[:2]

    def _read(self, index: int) -> NDArray[np.uint8]:
        return read_pixels(self.paths[index], self.pictures.channels)


def resized(pixels: NDArray[np.uint8], side: int | None) -> NDArray[np.uint8]:
    """Resize a picture to `side` pixels each way (antialiased bilinear), whatever its shape."""
    if side is None or pixels.shape[:2] == (side, side):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def class_folders(folder: Path, pictures: Pictures) -> tuple[Labelled, Split | None]:
    """Read a tree with a folder per class, or such a tree in each of `train/ validation/ test/`.

    Returns the pictures, and the parts where the folder gives them.

    Raises:
        UserError: if the folder is missing, a class has no file, or parts have other classes.
    """
    part_roots = part_folders(folder)
    roots = part_roots or {"": folder}
    first = next(iter(roots.values()))
    classes = _class_names(first)
    files: list[tuple[int, Path]] = []
    parts: dict[str, NDArray[np.int64]] = {}
    for part, root in roots.items():
        if _class_names(root) != classes:
            raise UserError(f"{root} has other classes than {first}")
        start = len(files)
        files += _labelled_files(root, classes)
        parts[part] = np.arange(start, len(files))
    paths = [path for _, path in files]
    look_through(paths)
    samples = PictureFiles(paths, pictures)
    data = Labelled(samples, np.array([label for label, _ in files]), classes)
    return data, parts if part_roots else None


def _class_names(root: Path) -> tuple[str, ...]:
    found = (path for path in root.iterdir() if path.is_dir() and is_shown(root, path))
    names = tuple(sorted(path.name for path in found))
    if len(names) < 2:
        raise UserError(
            f"data folder {root} has {len(names)} class folders: two are needed, at least"
        )
    return names


def _labelled_files(root: Path, classes: tuple[str, ...]) -> Iterator[tuple[int, Path]]:
    for label, name in enumerate(classes):
        yield from ((label, path) for path in picture_files(root / name, "class folder"))
