"""Pictures from the user's own folder."""

import random
from pathlib import Path

from stages.datasets.parts import PARTS, files_below, part_folders
from stages.datasets.pictures import SUFFIXES, read_luma
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
    return {
        part: [_read(folders.get(part, folder), name) for name in names]
        for part, names in found.items()
    }


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
    names = [path.relative_to(root).as_posix() for path in files_below(root, SUFFIXES)]
    if not names:
        kinds = ", ".join(sorted(SUFFIXES))
        raise UserError(f"data folder {root} holds no picture ({kinds})")
    return sorted(names)


def _holds_pairs(folder: Path) -> bool:
    return (folder / "high").is_dir() and (folder / "low").is_dir()


def _read(root: Path, name: str) -> Picture:
    label = Path(name).with_suffix("").as_posix().replace("/", "_")
    if not _holds_pairs(root):
        luma, bits = read_luma(root / name)
        return Picture(label, luma, bits, path=root / name)
    low_path = root / "low" / name
    if not low_path.is_file():
        raise UserError(f"picture {root / 'high' / name} has no partner {low_path}")
    high_path = root / "high" / name
    (high, bits), (low, low_bits) = read_luma(high_path), read_luma(low_path)
    return Picture(label, high, max(bits, low_bits), low, path=high_path)
