"""Training samples for what looks at data without training."""

from torch import Tensor
from torch.utils.data import DataLoader

from stages.device import device_for
from stages.settings import Training
from stages.tasks.task import Task


def training_samples(
    task: Task, count: int, phase: str, training: Training
) -> list[tuple[Tensor, Tensor]]:
    """Batches of `count` samples and their targets, on the device; `phase` seeds them."""
    device = device_for(training)
    loader = DataLoader(task.samples(count, phase), batch_size=task.batch_size)
    return [(inputs.to(device), targets.to(device)) for inputs, targets in loader]
