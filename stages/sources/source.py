"""The source that `params.yaml` names."""

import importlib
from pathlib import Path
from typing import Protocol

from stages.settings import Settings


class Source(Protocol):
    """Where a task's data come from."""

    no_sequences: str  # why there are none, where there are none

    def write_samples(self, folder: Path) -> str:
        """Read, check and split the source, write it into `folder`; returns a line about it."""

    def write_sequences(self, folder: Path) -> list[str]:
        """Write test sequences at both resolutions; returns their names."""


def source_of(settings: Settings) -> Source:
    """Open the source of the task in use."""
    module = importlib.import_module(f"stages.sources.{settings.task}.source")
    source: Source = module.InUse(settings)
    return source
