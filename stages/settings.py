"""`params.yaml` as frozen, typed settings: parsed once, unknown keys refused."""

import difflib
import itertools
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import UserError

PARAMS = Path("params.yaml")
# What else is in models/, so no step can be called so.
RESERVED = {"pruned", "sparsified", "unrecovered", "controls", "schedule", "verdicts"}
DENSE = "dense"  # the name of the model that the first step starts from
CONTROLS = ("longer", "scratch")

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


T = TypeVar("T")


class Section(BaseModel):
    """A section of `params.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PerTask(Section, Generic[T]):
    """A section with one part a task; `Settings.of` takes the part in use."""

    upsampling: T


class UpsamplingData(Section):
    """Pictures and how low-resolution versions are made of them."""

    source: Literal["photographs", "folder"]
    validation: Share
    test: Share
    scale: Literal[2, 3, 4]
    filter: Literal["bicubic", "lanczos", "bilinear", "box"]

    @model_validator(mode="after")
    def _leaves_pictures_to_train(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must stay below 1: the rest is for training")
        return self


class Data(PerTask[UpsamplingData]):
    """Where data come from; `folder` holds the user's own."""

    folder: Path


class Network(Section):
    """What is built, and optionally the weights it starts from."""

    factory: str
    arguments: dict[str, Any]
    weights: Path | None


class UpsamplingBatches(Section):
    """How training patches are cut, chosen and varied; `patch` in low-resolution pixels."""

    size: Count
    patch: Annotated[int, Field(ge=4)]
    choose: Literal["random", "detail"]
    rotate: bool
    mirror: bool
    noise: Annotated[float, Field(ge=0, le=1)]


class Training(Section):
    """Where and in which precision training runs."""

    device: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["no", "fp16", "bf16"]


class Phase(Section):
    """A phase of training: `epochs` of `iterations` each, with a validation after every epoch.

    Zero epochs keep the weights as they are.
    """

    epochs: Annotated[int, Field(ge=0)]
    iterations: Count
    learning_rate: Positive


class Ceilings(Section):
    """The largest penalty of each regime, in units of weight decay."""

    growing: Positive
    selected: Positive


class Sparsity(Section):
    """Sparsity learning: penalties grow in `grow_epochs` and are held in `hold_epochs`."""

    regime: Literal["growing", "selected", "none"]
    ceiling: Ceilings
    iterations: Count
    grow_epochs: Count
    hold_epochs: Annotated[int, Field(ge=0)]
    close_to_zero: Share
    learning_rate: Positive


def _named_steps(value: Any) -> Any:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(
                    f"step names must be text such as step1, not the number {key!r} "
                    "(DVC would silently run no step at all)"
                )
    return value


def _chain(steps: dict[str, str]) -> None:
    """Refuse a mapping that is not one chain from the dense model, in the order written."""
    if not steps:
        raise ValueError("needs at least one step, such as {step1: dense}")
    for name in steps:
        if name == DENSE or name in RESERVED or not name.isidentifier():
            raise ValueError(f"a step cannot be called {name!r}: use a name such as step1")
    for name, start in steps.items():
        if start != DENSE and start not in steps:
            raise ValueError(f"{name} starts from {start!r}, which is neither {DENSE} nor a step")
    for name in steps:
        seen, at = {name}, steps[name]
        while at != DENSE:
            if at in seen:
                raise ValueError(f"the steps form a cycle through {at}; one must start from dense")
            seen.add(at)
            at = steps[at]
    before = [DENSE, *list(steps)[:-1]]
    for name, start, expected in zip(steps, steps.values(), before, strict=True):
        if start != expected:
            raise ValueError(f"{name} must start from {expected}: steps are one chain, in order")


class Pruning(Section):
    """How much goes, in which steps, and by what ranking."""

    target: Share
    schedule: Literal["even", "geometric", "explicit"]
    shares: Annotated[dict[str, Share], BeforeValidator(_named_steps)]
    steps: Annotated[dict[str, str], BeforeValidator(_named_steps)]
    importance: Literal["norm2", "mean", "taylor"]
    scope: Literal["global", "local"]
    minimum_channels: Count
    round_to: Count
    protect: tuple[str, ...]

    @model_validator(mode="after")
    def _steps_can_run(self) -> Self:
        try:
            _chain(self.steps)
        except ValueError as error:
            raise ValueError(f"steps: {error}") from None
        if self.schedule == "explicit":
            if list(self.shares) != list(self.steps):
                raise ValueError("shares: an explicit schedule needs one share for each of steps")
            shares = list(self.shares.values())
            if any(b <= a for a, b in itertools.pairwise(shares)):
                raise ValueError("shares: each step's share must be larger than the one before")
        return self


class Criterion(Section):
    """How much of the dense model's quality a pruned model must keep.

    `loss`: at most `limit` below it, in the unit of quality. `share`: at least `limit` of it.
    `gain`: at least `limit` of what the dense model gains over the baseline.
    """

    rule: Literal["loss", "share", "gain"]
    limit: NotNegative

    @model_validator(mode="after")
    def _shares_ask_for_something(self) -> Self:
        if self.rule != "loss" and self.limit == 0:
            raise ValueError(f"limit: a {self.rule} of 0 asks for nothing")
        return self


class UpsamplingEvaluation(Section):
    """Frames (height, width, at low resolution) that costs are stated for."""

    macs_frame: tuple[Count, Count]
    latency_frame: tuple[Count, Count]
    latency_runs: Count


class Controls(Section):
    """Whether controls are trained under the same number of iterations."""

    train: bool


class Tracking(Section):
    """Whether and under which name MLflow keeps results."""

    enabled: bool
    experiment: Annotated[str, Field(min_length=1)]


class Settings(Section):
    """The whole of `params.yaml`."""

    task: Literal["upsampling"]
    seed: Annotated[int, Field(ge=0)]
    data: Data
    network: PerTask[Network]
    batches: PerTask[UpsamplingBatches]
    training: Training
    finetune: PerTask[Phase]
    pruning: Pruning
    sparsity: PerTask[Sparsity]
    recovery: PerTask[Phase]
    criterion: PerTask[Criterion]
    evaluation: PerTask[UpsamplingEvaluation]
    controls: Controls
    tracking: Tracking

    def of(self, section: PerTask[T]) -> T:
        """The part of `section` that belongs to the task in use."""
        part: T = getattr(section, self.task)
        return part


def load_settings(path: Path = PARAMS) -> Settings:
    """Read and check all of `path` (YAML 1.2).

    Raises:
        UserError: naming the key, what is wrong with it, and what is allowed.
    """
    try:
        tree = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the project's folder") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from None
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"{path}: {_first_problem(error, tree)}") from None


def _first_problem(error: ValidationError, tree: Any) -> str:
    problems = error.errors(include_url=False)
    # An unknown key is the likeliest cause of a missing one, so it is told first.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        *parents, key = first["loc"]
        missing = [str(p["loc"][-1]) for p in problems if p["type"] == "missing"]
        node: Any = tree
        for part in parents:
            node = node[part]
        near = difflib.get_close_matches(str(key), missing or [str(k) for k in node if k != key])
        return f"{where}: unknown key" + (f" (did you mean {near[0]}?)" if near else "")
    if first["type"] == "missing":
        return f"{where}: missing"
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    given = first.get("input")
    shown = f", got {given!r}" if isinstance(given, str | int | float) else ""
    return f"{where}: {message[0].lower() + message[1:]}{shown}{more}"
