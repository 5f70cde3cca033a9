"""Classification: standardised samples, cross entropy, accuracy."""

from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages import artifacts
from stages.datasets.classification.reading import Prepared, describe, read_labelled
from stages.inference.classification import predicted
from stages.settings import Settings
from stages.tasks.classification.measures import MEASURES
from stages.tasks.classification.samples import LabelledSamples
from stages.tasks.task import CostShapes, Fit


class Classification:
    """Standardised samples (N, C, L) or (N, C, H, W) to scores of classes (N, classes)."""

    quality = MEASURES.quality
    allows_new_head = True

    def __init__(self, settings: Settings):
        self.seed, self.batches = settings.seed, settings.batches.classification
        self.batch_size = self.batches.batch
        self.evaluation = settings.evaluation.classification

    @property
    def example_shape(self) -> tuple[int, ...]:
        return (1, *self._about["shape"])

    @property
    def cost_shapes(self) -> CostShapes:
        latency = (self.evaluation.latency_batch, *self._about["shape"])
        return CostShapes(self.example_shape, latency, self.evaluation.latency_runs)

    def factory_arguments(self) -> dict[str, Any]:
        return {"classes": len(self._about["classes"]), "input_shape": self._about["shape"]}

    @property
    def fit(self) -> Fit:
        classes = len(self._about["classes"])
        return Fit((2, *self._about["shape"]), (2, classes), f"{classes} classes need")

    def samples(self, count: int, phase: str) -> LabelledSamples:
        part = read_labelled(artifacts.PREPARED, "train")
        return LabelledSamples(part, self.batches, count, (self.seed, phase))

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy of scores (N, classes) against labels (N)."""
        return cross_entropy(output, target)

    def validate(self, network: nn.Module, every: int = 1) -> float:
        """Share of validation samples, or of some, whose highest score is the right class."""
        found = predicted(network, self._validation, every)
        return float(np.mean(found == self._validation.y[::every]))

    @cached_property
    def _about(self) -> dict[str, Any]:
        return describe(artifacts.PREPARED)

    @cached_property
    def _validation(self) -> Prepared:
        return read_labelled(artifacts.PREPARED, "validation")


InUse = Classification  # what `task_of` looks for
