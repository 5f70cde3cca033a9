"""The majority class, the baseline of classification."""

from functools import cached_property

import numpy as np

from stages import artifacts
from stages.datasets.classification.reading import read_labelled
from stages.settings import Settings


class Majority:
    """The class that most training samples have."""

    def __init__(self, settings: Settings):
        pass  # the prepared data say all

    @cached_property
    def label(self) -> int:
        """Its place among the classes."""
        return int(np.argmax(np.bincount(read_labelled(artifacts.PREPARED, "train").y)))

    def validate(self) -> float:
        """Share of validation samples that are of it."""
        return float(np.mean(read_labelled(artifacts.PREPARED, "validation").y == self.label))


InUse = Majority  # what `baseline_of` looks for
