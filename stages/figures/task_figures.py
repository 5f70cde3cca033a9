"""Figures and tables of the task that `params.yaml` names: what its results look like."""

import importlib
from pathlib import Path
from typing import Protocol

from stages.figures.drawing import Drawings, Rows, Table
from stages.settings import Settings


class TaskFigures(Protocol):
    """Of the rows of the test part, and of the examples that `summarise` wrote."""

    def drawings(self, rows: Rows, examples: Path) -> Drawings:
        """Figures by file name."""

    def tables(self, rows: Rows) -> dict[str, Table]:
        """Tables by title."""


def task_figures_of(settings: Settings) -> TaskFigures:
    """The figures of the task in use."""
    module = importlib.import_module(f"stages.figures.{settings.task}")
    figures: TaskFigures = module.InUse()
    return figures
