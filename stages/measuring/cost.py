"""Costs of networks."""

import zlib
from pathlib import Path

from stages.artifacts import WEIGHTS


def saved_bytes(folder: Path) -> int:
    """Size of a saved model's weights."""
    return (folder / WEIGHTS).stat().st_size


def zipped_bytes(path: Path) -> int:
    """Size of a file after compression by DEFLATE, as in a .zip."""
    packer, size = zlib.compressobj(), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            size += len(packer.compress(chunk))
    return size + len(packer.flush())
