"""What the stages of weight pruning share: a network under a mask, repaired or as it was cut."""

import copy

from torch import nn

from stages.contractions.refit import Repair, Teacher
from stages.device import device_for
from stages.settings import Sweep, Training
from stages.tasks.task import Task
from stages.training.samples import training_samples
from stages.weights.order import Order, apply_masks, masks_at
from stages.weights.repair import repair_weights


class SparseNetworks:
    """Sparse versions of a network, which stays as it is, and their quality on validation."""

    def __init__(
        self, network: nn.Module, order: Order, task: Task, sweep: Sweep, training: Training
    ):
        self.network, self.order, self.task, self.ridge = network, order, task, sweep.repair.ridge
        self.device = device_for(training)
        self.repair: Repair | None = None  # the last one
        self.teacher: Teacher | None = None
        if sweep.repair.method != "none":
            samples = training_samples(task, sweep.repair.samples, "repair weights", training)
            teacher = copy.deepcopy(network).to(self.device)
            self.teacher = Teacher(teacher, [inputs for inputs, _ in samples], keeps=True)

    def cut(self, sparsity: float) -> nn.Module:
        """The network with the mask of a sparsity."""
        masked = copy.deepcopy(self.network)
        apply_masks(masked, masks_at(self.order, sparsity))
        return masked.to(self.device)

    def repaired(self, sparsity: float) -> nn.Module:
        """The same with the weights that are left repaired, if they are to be."""
        masked = self.cut(sparsity)
        if self.teacher is not None and sparsity > 0:
            masks = masks_at(self.order, sparsity)
            self.repair = repair_weights(masked, self.teacher, masks, self.ridge)
        return masked

    def quality_cut(self, sparsity: float) -> float:
        """Quality at a sparsity, as cut."""
        return self.task.validate(self.cut(sparsity))

    def quality(self, sparsity: float) -> float:
        """Quality at a sparsity, repaired if it is to be."""
        return self.task.validate(self.repaired(sparsity))
