"""What stages that train and validate ask of a task, and the task that `params.yaml` names."""

import importlib
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

from stages.settings import Settings
from stages.tasks.quality import Quality

Sample = tuple[Tensor, Tensor]  # what a network takes, and its target


@dataclass(frozen=True)
class CostShapes:
    """Input shapes that costs are stated for, and how often latency is measured."""

    macs: tuple[int, ...]
    latency: tuple[int, ...]
    latency_runs: int


@dataclass(frozen=True)
class Fit:
    """An input shape, the shape of the output that fits the data, and what it is that needs it."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    need: str


class Task(Protocol):
    """A task over the prepared data."""

    quality: Quality
    allows_new_head: bool  # whether initial weights may have a last layer of another size
    batch_size: int

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of an input, batch of one included."""

    @property
    def cost_shapes(self) -> CostShapes:
        """What costs are stated for."""

    @property
    def fit(self) -> Fit:
        """What a network must give to fit the data."""

    def factory_arguments(self) -> dict[str, Any]:
        """What the data say to a network's factory, by the names of its parameters."""

    def samples(self, count: int, phase: str) -> Dataset[Sample]:
        """`count` training samples; the n-th depends on the seed, the phase and n alone."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The training loss of a batch, a scalar."""

    def validate(self, network: nn.Module, every: int = 1) -> float:
        """Quality on the validation part, or on one of `every` so many samples."""


def task_of(settings: Settings) -> Task:
    """Make the task in use from its settings."""
    # By name, so that a stage imports what its task needs and no more.
    module = importlib.import_module(f"stages.tasks.{settings.task}.task")
    task: Task = module.InUse(settings)
    return task
