"""The device that `params.yaml` asks for, and the one that a network is on."""

from collections.abc import Callable

import torch
from torch import nn

from stages.errors import UserError
from stages.settings import Training


def device_for(training: Training) -> torch.device:
    """The device to run on; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UserError: if the device is not on this machine.
    """
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if training.device == "auto":
        return torch.device(next(name for name, is_there in there.items() if is_there()))
    if not there[training.device]():
        raise UserError(f"training.device {training.device} is not on this machine: use auto")
    return torch.device(training.device)


def device_of(network: nn.Module) -> torch.device:
    """Where a network is; one without parameters runs on the CPU."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
