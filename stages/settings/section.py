"""What the sections of `params.yaml` are made of."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

TaskName = Literal["upsampling", "classification"]
TASK_NAMES: tuple[TaskName, ...] = ("upsampling", "classification")

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Even = Annotated[int, Field(ge=2, multiple_of=2)]
AnyCount = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # as far as NumPy, PyTorch and DVC all go
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

CodecName = Literal["hevc", "vvc"]
QP = Annotated[int, Field(ge=1, le=51)]

T = TypeVar("T")


def all_differ(values: tuple[T, ...]) -> tuple[T, ...]:
    """Refuse a list that names something twice."""
    if len(set(values)) < len(values):
        raise ValueError("names one of them twice")
    return values


class Section(BaseModel):
    """A section of `params.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ByTask(Section):
    """A section with a part per task, `upsampling` and `classification`, of whatever types."""


class PerTask(ByTask, Generic[T]):
    """A section whose parts are alike; `Settings.of` takes the part in use."""

    upsampling: T
    classification: T
