"""Pictures from the user's own folder."""

import random
from itertools import chain
from pathlib import Path

from stages.datasets.parts import PARTS, part_folders
from stages.datasets.picture_files import look_through, picture_files
from stages.datasets.pictures import read_luma
from stages.datasets.upsampling.samples import Picture
from stages.errors import UserError


def folder_pictures(
    folder: Path, validation: float, test: float, seed: int
) -> dict[str, list[Picture]]:
    """Read a folder of pictures, by part.

    With subfolders `train/`, `validation/` and `test/` these are the parts; otherwise files are
    split at random by `seed` into the given shares. Where a folder holds `high/` and `low/`, the
    files of the same name in them are given pairs.

    Raises:
        UserError: if the folder is missing or empty, a part has no picture, a picture cannot be
            read, or a pair is incomplete.
    """
    folders = part_folders(folder)
    if folders:
        found = {part: _list_pictures(root) for part, root in folders.items()}
    else:
        found = split_names(_list_pictures(folder), validation, test, seed)
    for part, names in found.items():
        if not names:
            raise UserError(f"data folder {folder} gives no picture for {part}: add some")
    files = {
        part: {name: _files(folders.get(part, folder), name) for name in names}
        for part, names in found.items()
    }
    look_through(chain.from_iterable(chain.from_iterable(f.values()) for f in files.values()))
    return {part: [_read(name, *paths) for name, paths in f.items()] for part, f in files.items()}


def split_names(
    names: list[str], validation: float, test: float, seed: int, what: str = "pictures"
) -> dict[str, list[str]]:
    """Split names at random by `seed`; every part gets at least one. `what` they are of.

    Raises:
        UserError: if there are fewer than three names.
    """
    if len(names) < len(PARTS):
        raise UserError(
            f"too few {what} ({len(names)}): train, validation and test need one each, at least"
        )
    shuffled = sorted(names)
    random.Random(seed).shuffle(shuffled)
    held = max(1, round(validation * len(names)))
    tested = max(1, round(test * len(names)))
    held, tested = (
        min(held, len(names) - 2),
        min(tested, len(names) - 1 - min(held, len(names) - 2)),
    )
    return {
        "train": sorted(shuffled[held + tested :]),
        "validation": sorted(shuffled[:held]),
        "test": sorted(shuffled[held : held + tested]),
    }


def _list_pictures(folder: Path) -> list[str]:
    """List pictures by their path relative to `folder`, or, of given pairs, to its `high/`."""
    root = folder / "high" if _holds_pairs(folder) else folder
    return sorted(path.relative_to(root).as_posix() for path in picture_files(root, "data folder"))


def _holds_pairs(folder: Path) -> bool:
    return (folder / "high").is_dir() and (folder / "low").is_dir()


def _files(root: Path, name: str) -> list[Path]:
    """A picture's file, or those of a given pair, high before low."""
    if not _holds_pairs(root):
        return [root / name]
    high, low = root / "high" / name, root / "low" / name
    if not low.exists():
        raise UserError(f"picture {high} has no partner {low}")
    return [high, low]


def _read(name: str, path: Path, low_path: Path | None = None) -> Picture:
    label = Path(name).with_suffix("").as_posix().replace("/", "_")
    high, bits = read_luma(path)
    if low_path is None:
        return Picture(label, high, bits, path=path)
    low, low_bits = read_luma(low_path)
    return Picture(label, high, max(bits, low_bits), low, path=path)
