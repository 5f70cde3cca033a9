"""What the stages ask of a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stages.tasks.behind_codecs import BehindCodecs

Sample = tuple[Tensor, Tensor]  # what a network takes, and what it should give
Rows = Sequence[Mapping[str, Any]]
Table = tuple[Sequence[str], Sequence[Sequence[str]]]  # head and rows


@dataclass(frozen=True)
class Quality:
    """What a task is judged by: its column name, what figures call it, its unit and direction."""

    name: str
    label: str
    unit: str
    higher_is_better: bool
    digits: int = 3

    def better(self, new: float, old: float) -> bool:
        """Whether `new` is strictly better than `old`."""
        return new > old if self.higher_is_better else new < old

    def loss(self, reference: float, value: float) -> float:
        """How much worse `value` is than `reference`; negative where it is better."""
        return reference - value if self.higher_is_better else value - reference

    def told(self, value: float) -> str:
        """A value with its unit."""
        return f"{self.number(value)} {self.unit}".rstrip()

    def number(self, value: float) -> str:
        """A value with as many digits as mean something."""
        return f"{value:.{self.digits}f}"

    @property
    def axis(self) -> str:
        """What figures write beside an axis of validation quality."""
        return f"{self.label} on validation" + (f" ({self.unit})" if self.unit else "")


@dataclass(frozen=True)
class Frames:
    """Input shapes that costs are stated for, and how often latency is measured."""

    macs_shape: tuple[int, ...]
    latency_shape: tuple[int, ...]
    latency_runs: int


@dataclass(frozen=True)
class Drawing:
    """A figure of the task's own for the report, and what it shows."""

    figure: "Figure"
    caption: str


class Task(Protocol):
    """A task over the prepared data."""

    quality: Quality
    baseline_name: str
    metrics: tuple[str, ...]  # columns of the rows of `test`, quality among them
    free_axes: tuple[int, ...]  # of an input: those that may have any length
    new_head: bool  # whether starting weights may have a last layer of another size
    batch_size: int
    frames: Frames

    video: "BehindCodecs | None"  # where outputs are frames of video

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of an input, batch of one included."""

    def offers(self) -> dict[str, Any]:
        """What the data tell a network's factory, by the names of its parameters."""

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

    def test(self, networks: Mapping[str, nn.Module]) -> list[dict[str, Any]]:
        """Rows of metrics on the test part, baseline included: one a model and item.

        Every row has `model`, `item` and the task's `metrics`.
        """

    def show(self, networks: Mapping[str, nn.Module], folder: Path) -> None:
        """Write examples of test items, and of what the networks make of them, for the report."""

    def draw(self, rows: Rows, examples: Path) -> dict[str, Drawing]:
        """Figures of the task's own, by file name, of the rows of `test` and of examples."""

    def tables(self, rows: Rows) -> dict[str, Table]:
        """Tables of the task's own for the report, by title, of the rows of `test`."""
