"""Pictures that users bring: found in a folder, and looked through before any is decoded."""

from collections.abc import Iterable
from pathlib import Path

from stages.datasets.parts import files_below
from stages.datasets.pictures import opened
from stages.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}


def picture_files(folder: Path, what: str) -> list[Path]:
    """Pictures anywhere below a folder, sorted; what is hidden is none. `what` the folder is.

    Raises:
        UserError: if there is none, or what is called like one is no file.
    """
    found = files_below(folder, SUFFIXES)
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise UserError(f"{what} {folder} holds no picture ({kinds})")
    return found


def look_through(paths: Iterable[Path]) -> None:
    """Look at the heads of all pictures of a run, and print once what no reader takes of them.

    Raises:
        UserError: if one cannot be opened or is too large.
    """
    clear, longer = list[Path](), list[Path]()
    for path in paths:
        with opened(path) as (_, head):
            if head is not None and head.has_transparency_data:
                clear.append(path)
            if getattr(head, "is_animated", False):
                longer.append(path)
    _tell("transparency is left out", clear)
    _tell("all but the first frame or page is left out", longer)


def _tell(what: str, found: list[Path]) -> None:
    if found:
        pictures = "1 picture" if len(found) == 1 else f"{len(found):,} pictures"
        print(f"{what} of {pictures}: {found[0]}{' and others' if len(found) > 1 else ''}")
