"""The prepared data set on disk: grey PNG pairs by part, and a description."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.artifacts import DESCRIPTION, read_json, write_json
from stages.errors import UserError
from stages.sources.pictures import Picture, read_luma, write_luma


def write_pairs(
    folder: Path, parts: Mapping[str, Sequence[Picture]], about: Mapping[str, Any]
) -> None:
    """Write `PART/high/NAME.png` and `PART/low/NAME.png`, and what they are.

    Raises:
        UserError: if two pictures of a part would get the same name.
    """
    for part, pictures in parts.items():
        names = Counter(picture.name for picture in pictures)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise UserError(f"several pictures of {part} are called {twice[0]}: rename one")
        for picture in pictures:
            assert picture.low is not None
            write_luma(folder / part / "high" / f"{picture.name}.png", picture.high, picture.bits)
            write_luma(folder / part / "low" / f"{picture.name}.png", picture.low, picture.bits)
    sizes = {
        part: {p.name: {"size": list(p.high.shape), "bits": p.bits} for p in pictures}
        for part, pictures in parts.items()
    }
    write_json(folder / DESCRIPTION, {"schema": 1, **about, "parts": sizes})


def read_pairs(folder: Path, part: str) -> list[Picture]:
    """Read the pairs of one part, in the order of their names."""
    described = read_json(folder / DESCRIPTION)["parts"][part]
    pairs = []
    for name in sorted(described):
        high, bits = read_luma(folder / part / "high" / f"{name}.png")
        low, _ = read_luma(folder / part / "low" / f"{name}.png")
        pairs.append(Picture(name, high, bits, low))
    return pairs
