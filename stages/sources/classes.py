"""Labelled pictures from the user's own folder: a folder a class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.errors import UserError
from stages.settings import Pictures
from stages.sources.labelled import PARTS, Labelled, Split
from stages.sources.pictures import SUFFIXES, read_pixels


@dataclass(frozen=True)
class PictureFiles:
    """Pictures that are read, and resized to one size, when they are asked for."""

    paths: Sequence[Path]
    pictures: Pictures

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        pixels = read_pixels(self.paths[index], self.pictures.channels)
        return resized(pixels, self.pictures.side)


def resized(pixels: NDArray[np.uint8], side: int | None) -> NDArray[np.uint8]:
    """Resize a picture to `side` pixels each way (antialiased bilinear), whatever its shape."""
    if side is None or pixels.shape[:2] == (side, side):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def class_folders(folder: Path, pictures: Pictures) -> tuple[Labelled, Split | None]:
    """Read a tree with a folder a class, or such a tree in each of `train/ validation/ test/`.

    Returns the pictures, and the parts where the folder gives them.

    Raises:
        UserError: if the folder is missing, a class has no file, parts have other classes, or
            pictures of several sizes are not resized.
    """
    if not folder.is_dir():
        raise UserError(f"data folder {folder} does not exist: set data.folder")
    present = [part for part in PARTS if (folder / part).is_dir()]
    if present and len(present) < len(PARTS):
        missing = ", ".join(f"{part}/" for part in PARTS if part not in present)
        raise UserError(f"data folder {folder} has {present[0]}/ but not {missing}")
    roots = {part: folder / part for part in present} or {"": folder}
    classes = _class_names(next(iter(roots.values())))
    paths: list[Path] = []
    labels: list[int] = []
    parts: dict[str, NDArray[np.int64]] = {}
    for part, root in roots.items():
        if _class_names(root) != classes:
            raise UserError(f"{root} has other classes than {next(iter(roots.values()))}")
        start = len(paths)
        for label, path in _labelled_files(root, classes):
            labels.append(label)
            paths.append(path)
        parts[part] = np.arange(start, len(paths))
    data = Labelled(PictureFiles(paths, pictures), np.array(labels), classes)
    _refuse_mixed_sizes(paths, pictures)
    return data, parts if present else None


def is_shown(path: Path) -> bool:
    """Whether a file or folder is none that editors and file managers hide."""
    return not path.name.startswith(".")


def _class_names(root: Path) -> tuple[str, ...]:
    names = tuple(sorted(path.name for path in root.iterdir() if path.is_dir() and is_shown(path)))
    if len(names) < 2:
        raise UserError(
            f"data folder {root} has {len(names)} class folders: two are needed, at least"
        )
    return names


def _labelled_files(root: Path, classes: tuple[str, ...]) -> Iterator[tuple[int, Path]]:
    for label, name in enumerate(classes):
        files = sorted(
            path
            for path in (root / name).rglob("*")
            if path.suffix.lower() in SUFFIXES and is_shown(path)
        )
        if not files:
            kinds = ", ".join(sorted(SUFFIXES))
            raise UserError(f"class folder {root / name} holds no picture ({kinds})")
        yield from ((label, path) for path in files)


def _refuse_mixed_sizes(paths: Sequence[Path], pictures: Pictures) -> None:
    """Look at every picture once, so that none fails in the middle of training."""
    first: tuple[int, ...] | None = None
    for path in paths:
        size = read_pixels(path, pictures.channels).shape[:2]
        first = first or size
        if pictures.side is None and size != first:
            raise UserError(
                f"picture {path} is {size[0]} x {size[1]}, others are {first[0]} x {first[1]}: set "
                "data.classification.pictures.side to resize them all"
            )
