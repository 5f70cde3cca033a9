"""The baseline of the task that `params.yaml` names."""

import importlib
from typing import Protocol

from stages.settings import Settings


class Baseline(Protocol):
    """What any network must beat, without one."""

    def validate(self) -> float:
        """Its quality on the validation part."""


def baseline_of(settings: Settings) -> Baseline:
    """Make the baseline of the task in use."""
    module = importlib.import_module(f"stages.testing.{settings.task}.baseline")
    baseline: Baseline = module.InUse(settings)
    return baseline
