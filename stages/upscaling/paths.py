"""What goes in and what comes out, by their names."""

from pathlib import Path

from stages.datasets.picture_files import SUFFIXES as PICTURES
from stages.errors import UserError
from stages.upscaling.videos import SUFFIXES, refuse_suffix


def is_picture(path: Path) -> bool:
    """Whether a path is a single picture, by its suffix."""
    return path.suffix.lower() in PICTURES and not path.is_dir()


def refuse_paths(source: Path, target: Path) -> None:
    """Raise a `UserError` where what is made of `source` cannot lie at `target`."""
    if not source.exists():
        raise UserError(f"input {source} does not exist")
    inner, outer = target.resolve(), source.resolve()
    if not source.is_dir():
        if not is_picture(source):
            refuse_suffix(target)
        elif target.suffix.lower() != ".png":
            raise UserError(f"output {target} of a picture would be a PNG: name it .png")
        if inner == outer:
            raise UserError(f"output {target} is the input: name another file")
        if target.is_dir():
            raise UserError(f"output {target} is a folder: name a file")
        return
    if target.suffix.lower() in SUFFIXES:
        raise UserError(f"input {source} is a folder of pictures: name a folder, not {target}")
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise UserError(f"output {target} lies in the input, or the input in it: name another one")
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise UserError(f"output {target} holds something already: name another folder or empty it")
