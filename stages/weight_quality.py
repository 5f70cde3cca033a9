"""What the stages of weight pruning share: a network under a mask, repaired or as it was cut."""

import copy
from collections.abc import Callable

from torch import nn

from stages.contractions.refit import Repair, Teacher
from stages.device import device_for
from stages.settings import Settings, Training
from stages.tasks.task import Task
from stages.training.samples import training_samples
from stages.weights.order import Masks, Order, apply_masks, masks_at
from stages.weights.repair import repair_weights

Repairer = Callable[[nn.Module, Masks], Repair]  # of a network under masks, in place


def repairer_for(network: nn.Module, task: Task, settings: Settings) -> Repairer | None:
    """Repair to what the dense `network` gives, or None where sparse networks stay as cut."""
    chosen = settings.of(settings.sweep).repair
    if chosen.method == "none":
        return None
    samples = training_samples(task, chosen.samples, "repair weights", settings.training)
    inputs = [batch for batch, _ in samples]
    teacher = Teacher(copy.deepcopy(network).to(inputs[0].device), inputs, keeps=True)

    def repair(sparse: nn.Module, masks: Masks) -> Repair:
        return repair_weights(sparse, teacher, masks, chosen.ridge)

    return repair


class SparseNetworks:
    """Sparse versions of a network, which stays as it is, and their quality on validation."""

    def __init__(
        self,
        network: nn.Module,
        order: Order,
        task: Task,
        training: Training,
        repairer: Repairer | None,
    ):
        self.network, self.order, self.task, self.repairer = network, order, task, repairer
        self.device = device_for(training)
        self.repair: Repair | None = None  # the last one

    def made(self, sparsity: float) -> nn.Module:
        """The network with the mask of a sparsity, its other weights repaired if they are to be."""
        masks = masks_at(self.order, sparsity)
        masked = self._cut(masks)
        if self.repairer is not None and sparsity > 0:
            self.repair = self.repairer(masked, masks)
        return masked

    def quality(self, sparsity: float) -> float:
        """Quality at a sparsity, repaired if it is to be."""
        return self.task.validate(self.made(sparsity))

    def quality_cut(self, sparsity: float) -> float:
        """Quality at a sparsity, as cut."""
        return self.task.validate(self._cut(masks_at(self.order, sparsity)))

    def _cut(self, masks: Masks) -> nn.Module:
        masked = copy.deepcopy(self.network)
        apply_masks(masked, masks)
        return masked.to(self.device)
