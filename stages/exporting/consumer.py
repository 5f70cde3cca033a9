"""How whoever runs an exported network hands inputs to it, by the task that `params.yaml` names."""

import importlib
from typing import Any, Protocol

from torch import Tensor, nn

from stages.settings import Settings


class Consumer(Protocol):
    """What an exported network takes, which need not be what one takes while it is trained."""

    dynamic_axes: tuple[int, ...]  # of an input: those that should have any length
    in_use: tuple[int, ...]  # the shape of an input that latency is measured on

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network as it is exported."""

    def raw(self, inputs: Tensor) -> Tensor:
        """What an exported network takes where a network takes `inputs`."""

    def values(self, shape: tuple[int, ...]) -> Tensor:
        """Made-up inputs of a shape, such as an exported network may get."""

    def facts(self) -> dict[str, Any]:
        """What one must know to use it."""


class AsInTask(nn.Module):
    """A network in a runtime, taking what networks take while they are trained."""

    def __init__(self, exported: nn.Module, consumer: Consumer):
        super().__init__()
        self.exported, self.consumer = exported, consumer

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.exported(self.consumer.raw(x))
        return output


def consumer_of(settings: Settings) -> Consumer:
    """The consumer of the task in use."""
    module = importlib.import_module(f"stages.exporting.{settings.task}")
    consumer: Consumer = module.InUse(settings)
    return consumer
