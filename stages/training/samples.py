"""Training samples for what looks at data without training."""

from collections.abc import Callable, Sequence
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stages.device import device_for
from stages.settings import Training
from stages.tasks.task import Task

Draw = Callable[[int], list[tuple[Tensor, Tensor]]]  # batches of so many samples and their targets


def drawing(task: Task, phase: str, training: Training) -> Draw:
    """Draws training samples; the same number is drawn once, and kept."""
    return cache(partial(training_samples, task, phase=phase, training=training))


def drawings(count: int, task: Task, phase: str, training: Training) -> list[Draw]:
    """So many draws, each of other samples; the first is `drawing`'s."""
    phases = [phase, *(f"{phase}, draw {number}" for number in range(2, count + 1))]
    return [drawing(task, one, training) for one in phases]


def training_samples(
    task: Task, count: int, phase: str, training: Training
) -> list[tuple[Tensor, Tensor]]:
    """Batches of `count` samples and their targets, on the device; `phase` seeds them."""
    device = device_for(training)
    loader = DataLoader(task.samples(count, phase), batch_size=task.batch_size)
    return [(inputs.to(device), targets.to(device)) for inputs, targets in loader]


def mean_loss(
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    samples: Sequence[tuple[Tensor, Tensor]],
) -> float:
    """The loss, a mean over a batch, over all samples; `network` is back on the CPU afterwards."""
    network.to(samples[0][0].device).eval()
    with torch.no_grad():
        losses = [
            float(loss(network(inputs), targets)) * len(inputs) for inputs, targets in samples
        ]
    network.to("cpu")
    return sum(losses) / sum(len(inputs) for inputs, _ in samples)
