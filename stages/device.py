"""The device that `params.yaml` asks for, and the one that a network is on."""

from collections.abc import Callable

import torch
from torch import nn

from stages.errors import UserError
from stages.settings import Training


def device_for(training: Training) -> torch.device:
    """The device to run on; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UserError: if the device is not on this machine, or does not know the precision.
    """
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    name = training.device
    if name == "auto":
        name = next(one for one in ("cuda", "mps", "cpu") if there[one]())
    if not there[name]():
        raise UserError(f"training.device {name} is not on this machine: use auto")
    if name == "cpu" and training.precision == "fp16":
        raise UserError("training.precision fp16 is not for a CPU: use bf16 or no")
    return torch.device(name)


def device_of(network: nn.Module) -> torch.device:
    """Where a network is; one without parameters runs on the CPU."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
