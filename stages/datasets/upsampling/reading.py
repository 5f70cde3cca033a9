"""Pairs of pictures as `prepare` left them on disk: grey PNG files, by part."""

from pathlib import Path

from stages.artifacts import DESCRIPTION, read_json
from stages.datasets.pictures import read_luma
from stages.datasets.upsampling.samples import Picture


def read_pairs(folder: Path, part: str) -> list[Picture]:
    """Read the pairs of one part, by name and coding; those of one name share their target."""
    described = read_json(folder / DESCRIPTION)["parts"][part]
    pairs = []
    for name in sorted(described):
        high, _ = read_luma(folder / part / "high" / f"{name}.png")
        for coding, bits in described[name]["bits"].items():
            low, _ = read_luma(folder / part / "low" / coding / f"{name}.png")
            pairs.append(Picture(name, high, bits, low, coding))
    return pairs
