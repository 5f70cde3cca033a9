"""The whole of `params.yaml`."""

from typing import Annotated, TypeVar

from pydantic import Field

from stages.settings.codec import Codec
from stages.settings.data import Batches, Data, Evaluation
from stages.settings.pruning import Criterion, Pruning
from stages.settings.section import AnyCount, PerTask, Section, TaskName
from stages.settings.training import Network, Phase, Sparsity, Training
from stages.settings.weights import Sweep, Tradeoff

T = TypeVar("T")


class Controls(Section):
    """Whether controls are trained under the same number of iterations."""

    train: bool


class Tracking(Section):
    """Whether and under which name MLflow keeps results."""

    enabled: bool
    experiment: Annotated[str, Field(min_length=1)]


class Settings(Section):
    """The whole of `params.yaml`."""

    task: TaskName
    seed: AnyCount
    data: Data
    network: PerTask[Network]
    batches: Batches
    training: Training
    finetune: PerTask[Phase]
    pruning: Pruning
    sparsity: PerTask[Sparsity]
    recovery: PerTask[Phase]
    criterion: PerTask[Criterion]
    sweep: PerTask[Sweep]
    tradeoff: PerTask[Tradeoff]
    evaluation: Evaluation
    codec: Codec
    controls: Controls
    tracking: Tracking

    def of(self, section: PerTask[T]) -> T:
        """The part of `section` that belongs to the task in use."""
        part: T = getattr(section, self.task)
        return part
