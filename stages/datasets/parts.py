"""The parts of a data set, and where the user's own folder gives them."""

from collections.abc import Collection
from pathlib import Path

from stages.errors import UserError

PARTS = ("train", "validation", "test")


def own_folder(folder: Path) -> Path:
    """The folder, if it is there.

    Raises:
        UserError: if it is not.
    """
    if not folder.is_dir():
        raise UserError(f"data folder {folder} does not exist: set data.folder")
    return folder


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files with one of the suffixes anywhere below a folder, sorted."""
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file()
    )


def part_folders(folder: Path) -> dict[str, Path]:
    """`train/`, `validation/` and `test/` of a folder; none if it has none of them.

    Raises:
        UserError: if the folder is missing, or has some of them only.
    """
    folders = {part: own_folder(folder) / part for part in PARTS}
    present = [part for part, path in folders.items() if path.is_dir()]
    if not present:
        return {}
    if len(present) < len(PARTS):
        missing = ", ".join(f"{part}/" for part in PARTS if part not in present)
        raise UserError(f"data folder {folder} has {present[0]}/ but not {missing}")
    return folders
