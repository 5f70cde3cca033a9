"""What the stages ask of a task."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

Sample = tuple[Tensor, Tensor]  # what a network takes, and what it should give


@dataclass(frozen=True)
class Quality:
    """What a task is judged by: its column name, what figures call it, its unit and direction."""

    name: str
    label: str
    unit: str
    higher_is_better: bool

    def better(self, new: float, old: float) -> bool:
        """Whether `new` is strictly better than `old`."""
        return new > old if self.higher_is_better else new < old

    def loss(self, reference: float, value: float) -> float:
        """How much worse `value` is than `reference`; negative where it is better."""
        return reference - value if self.higher_is_better else value - reference


@dataclass(frozen=True)
class Frames:
    """Input shapes that costs are stated for, and how often latency is measured."""

    macs_shape: tuple[int, ...]
    latency_shape: tuple[int, ...]
    latency_runs: int


class Task(Protocol):
    """A task over the prepared data."""

    quality: Quality
    baseline_name: str
    example_shape: tuple[int, ...]
    batch_size: int
    frames: Frames

    def prepare(self, folder: Path) -> str:
        """Read, check and split the source, write it into `folder`; returns a line about it."""

    def check(self, network: nn.Module) -> None:
        """Refuse a network whose output does not fit the data (`UserError`)."""

    def samples(self, count: int, phase: str) -> Dataset[Sample]:
        """`count` training samples; the n-th depends on the seed, the phase and n alone."""

    def loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        """The training loss of a batch, a scalar."""

    def validate(self, network: nn.Module) -> float:
        """Quality on the validation part."""

    def validate_baseline(self) -> float:
        """The baseline's quality on the validation part."""

    def test(self, networks: dict[str, nn.Module]) -> list[dict[str, float | str]]:
        """Rows of metrics on the test part, baseline included: one a model and item.

        Every row has `model`, `item` and the quality's name.
        """

    def show(self, networks: dict[str, nn.Module], folder: Path) -> None:
        """Write examples of what the networks make of test items, for the report."""
