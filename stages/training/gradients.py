"""Gradients of the training loss, for importance that looks at data."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stages.device import device_for
from stages.settings import Training
from stages.tasks.task import Task

BATCHES = 10


def loss_gradients(
    network: nn.Module, task: Task, training: Training, phase: str
) -> dict[str, Tensor]:
    """Mean gradient of every parameter over a few batches; weights and statistics stay."""
    device = device_for(training)
    network.to(device).eval()
    network.zero_grad()
    samples = task.samples(BATCHES * task.batch_size, phase)
    for inputs, targets in DataLoader(samples, batch_size=task.batch_size):
        (task.loss(network(inputs.to(device)), targets.to(device)) / BATCHES).backward()
    gradients = {
        name: torch.zeros_like(p, device="cpu") if p.grad is None else p.grad.cpu()
        for name, p in network.named_parameters()
    }
    network.zero_grad()
    network.to("cpu")
    return gradients
