"""Gradients of the training loss, for importance that looks at data."""

import torch
from torch import Tensor, nn

from stages.tasks.task import Task
from stages.training.samples import Draw

BATCHES = 10


def loss_gradients(network: nn.Module, task: Task, draw: Draw) -> dict[str, Tensor]:
    """Mean gradient of every parameter over a few batches; weights and statistics stay."""
    samples = draw(BATCHES * task.batch_size)
    network.to(samples[0][0].device).eval()
    network.zero_grad()
    for inputs, targets in samples:
        (task.loss(network(inputs), targets) / BATCHES).backward()
    gradients = {
        name: torch.zeros_like(p, device="cpu") if p.grad is None else p.grad.cpu()
        for name, p in network.named_parameters()
    }
    network.zero_grad()
    network.to("cpu")
    return gradients
