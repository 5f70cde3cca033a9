"""Writing pairs of pictures, as `reading` finds them, and a description."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.artifacts import DESCRIPTION, write_json
from stages.datasets.pictures import write_luma
from stages.datasets.upsampling.samples import Picture
from stages.errors import UserError


def write_pairs(
    folder: Path, parts: Mapping[str, Iterable[Picture]], about: Mapping[str, Any]
) -> dict[str, int]:
    """Write `PART/high/NAME.png` once, `PART/low/CODING/NAME.png`, and what they are.

    Returns how many pairs each part has. Pictures are taken one by one.

    Raises:
        UserError: if two pairs of a part would get the same name.
    """
    described: dict[str, dict[str, Any]] = {}
    for part, pictures in parts.items():
        described[part] = {}
        for picture in pictures:
            _write(folder / part, picture, described[part])
    write_json(folder / DESCRIPTION, {"schema": 2, **about, "parts": described})
    counts = {
        part: [len(one["bits"]) for one in of_part.values()] for part, of_part in described.items()
    }
    return {part: sum(codings) for part, codings in counts.items()}


def _write(folder: Path, picture: Picture, described: dict[str, Any]) -> None:
    assert picture.low is not None
    if picture.name not in described:
        write_luma(folder / "high" / f"{picture.name}.png", picture.high, picture.bits)
        described[picture.name] = {"size": list(picture.high.shape), "bits": {}}
    if picture.coding in described[picture.name]["bits"]:
        raise UserError(f"several pictures of {folder.name} are called {picture.name}: rename one")
    described[picture.name]["bits"][picture.coding] = picture.bits
    write_luma(folder / "low" / picture.coding / f"{picture.name}.png", picture.low, picture.bits)
