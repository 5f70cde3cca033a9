"""The whole of `params.yaml`: its sections, and reading it in one go."""

import difflib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import UserError
from stages.settings.codec import Codec
from stages.settings.data import Batches, Data, Evaluation
from stages.settings.pruning import PROCEDURES, Criterion, Name, Procedure, Pruning
from stages.settings.section import PerTask, Section, Seed, TaskName
from stages.settings.training import Network, Phase, Sparsity, Training
from stages.settings.weights import Sweep, Tradeoff

PARAMS = Path("params.yaml")
# DVC leaves keys of these names out of its run-cache key, at any depth (treeverse/dvc#10296): a
# changed value would be answered with the result of the old one.
UNTRACKED = ("size", "nfiles")

T = TypeVar("T")


def _plain_name(name: str) -> str:
    """Refuse a name that is a path: MLflow's files go into a folder called so."""
    if not name or name.startswith(".") or set(name) & set("/\\"):
        raise ValueError("must be a plain name, no path")
    return name


class Controls(Section):
    """Whether controls are trained under the same number of iterations."""

    train: bool


class Exports(Section):
    """Whether models are written for other runtimes than PyTorch."""

    enabled: bool


class Costs(Section):
    """The runtime in which goal `time` and `round_to: auto` measure."""

    runtime: Literal[
        "torch", "torch_channels_last", "onnx", "onnx_cuda", "onnx_tensorrt", "openvino"
    ]


class Tracking(Section):
    """Whether and under which name MLflow keeps results."""

    enabled: bool
    experiment: Annotated[str, AfterValidator(_plain_name)]


class Settings(Section):
    """The whole of `params.yaml`."""

    task: TaskName
    seed: Seed
    procedure: Name
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
    costs: Costs
    exports: Exports
    tracking: Tracking

    @model_validator(mode="after")
    def _time_can_be_measured(self) -> Self:
        in_torch = self.costs.runtime.startswith("torch")
        if self.pruning.goal == "time" and not (in_torch or self.exports.enabled):
            raise ValueError(
                f"pruning.goal: time in {self.costs.runtime} needs exports.enabled: true (or "
                "costs.runtime: torch)"
            )
        return self

    def of(self, section: PerTask[T]) -> T:
        """The part of `section` that belongs to the task in use."""
        part: T = getattr(section, self.task)
        return part

    @property
    def chosen(self) -> Procedure:
        """The procedure, with what settings say otherwise."""
        said = {
            "importance": self.pruning.importance,
            "repair": self.pruning.repair.method,
            "regime": self.of(self.sparsity).regime,
        }
        own: dict[str, Any] = {name: value for name, value in said.items() if value != "auto"}
        return replace(PROCEDURES[self.procedure], **own)

    @property
    def trusted(self) -> frozenset[str]:
        """Factories that the user names, by which a saved model may be built."""
        return frozenset({self.network.upsampling.factory, self.network.classification.factory})


def trusted_here() -> frozenset[str]:
    """Factories that `params.yaml` names, if there is one where a command runs."""
    return load_settings().trusted if PARAMS.is_file() else frozenset()


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
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"{path}: {_first_problem(error, tree)}") from None
    if where := _untracked_key(tree):
        raise UserError(
            f"{path}: {where}: DVC does not track keys called {' or '.join(UNTRACKED)}, so a "
            "changed value would rerun nothing: use another name (for a factory's parameter, make "
            "a function of your own in models/own/)"
        )
    return settings


def _untracked_key(tree: Any, prefix: str = "") -> str | None:
    """The dotted name of a key that DVC does not track, if there is one."""
    if isinstance(tree, list):
        found = (_untracked_key(value, f"{prefix}{place}.") for place, value in enumerate(tree))
        return next((name for name in found if name), None)
    for key, value in tree.items() if isinstance(tree, dict) else ():
        name = prefix + str(key) if key in UNTRACKED else _untracked_key(value, f"{prefix}{key}.")
        if name:
            return name
    return None


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
    value = first.get("input")
    shown = f", got {value!r}" if isinstance(value, str | int | float) else ""
    return f"{where}: {message[0].lower() + message[1:]}{shown}{more}"
