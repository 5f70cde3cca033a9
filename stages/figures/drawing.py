"""What the report is made of: figures with captions, and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]
Table = tuple[Sequence[str], Sequence[Sequence[str]]]  # head and rows


@dataclass(frozen=True)
class Drawing:
    """A figure, and what it shows."""

    figure: Figure
    caption: str


Drawings = dict[str, Drawing]  # by file name
