"""The parts of a data set, and where the user's own folder gives them."""

from collections.abc import Collection, Iterable
from pathlib import Path

from stages.datasets.pictures import refuse_irregular
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
    """Files with one of the suffixes anywhere below a folder, sorted; none that is hidden.

    Raises:
        UserError: if what has such a suffix is a pipe, a device or a link to nothing.
    """
    return shown_files(folder, (p for p in folder.rglob("*") if p.suffix.lower() in suffixes))


def shown_files(folder: Path, found: Iterable[Path]) -> list[Path]:
    """Of what was found in a folder, the files that are not hidden, sorted.

    Raises:
        UserError: if one is a pipe, a device or a link to nothing.
    """
    files = sorted(path for path in found if is_shown(folder, path) and not path.is_dir())
    for path in files:
        refuse_irregular(path)
    return files


def is_shown(folder: Path, path: Path) -> bool:
    """Whether neither a file nor a folder around it, up to `folder`, is hidden.

    Editors, file managers and macOS (`._name.png`) hide what is no data.
    """
    return not any(name.startswith(".") for name in path.relative_to(folder).parts)


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
