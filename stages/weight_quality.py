"""What the stages of weight pruning share: quality of a network under a mask."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from stages.tasks.task import Task
from stages.weights.order import Order, apply_masks, masks_at


def masked_quality(
    network: nn.Module, order: Order, task: Task, device: torch.device
) -> Callable[[float], float]:
    """Quality on validation of `network` with the mask of a sparsity; it stays as it is."""

    def quality_at(sparsity: float) -> float:
        masked = copy.deepcopy(network)
        apply_masks(masked, masks_at(order, sparsity))
        return task.validate(masked.to(device))

    return quality_at
