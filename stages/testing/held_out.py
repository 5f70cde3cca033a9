"""The test part of the task that `params.yaml` names: `summarise` reads it, nothing else does."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from stages.settings import Settings


class HeldOut(Protocol):
    """The test part."""

    def rows(self, networks: Mapping[str, nn.Module]) -> list[dict[str, Any]]:
        """Metrics of every network and the baseline: a row per model and item.

        Every row has `model`, `item` and the task's metrics.
        """

    def show(self, networks: Mapping[str, nn.Module], folder: Path) -> None:
        """Write examples of test items, and of what the networks make of them, for the report."""


def held_out_of(settings: Settings) -> HeldOut:
    """Open the test part of the task in use."""
    module = importlib.import_module(f"stages.testing.{settings.task}.held_out")
    held_out: HeldOut = module.InUse(settings)
    return held_out
