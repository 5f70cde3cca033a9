"""What the stages of a step share: where it starts, what is left to prune, passing on."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stages import artifacts
from stages.channels.budget import Limits, budget_for, choose_units
from stages.channels.graph import Graph, Removed
from stages.channels.graph_file import from_ranges, graph_from_json
from stages.channels.importance import Importance, Kind, unit_importance
from stages.channels.removal import parameter_shapes
from stages.errors import UserError
from stages.networks.saved import About, load_network
from stages.settings import Settings, Training, load_settings
from stages.tasks.task import Task
from stages.training.gradients import loss_gradients


@dataclass(frozen=True)
class Step:
    """A step by name, and the name of the model it starts from."""

    name: str
    start: str


def step_from_arguments() -> tuple[Settings, Step]:
    """Read the settings, and the step that the command line names.

    Raises:
        UserError: if it is not one of `pruning.steps`.
    """
    settings = load_settings()
    steps = settings.pruning.steps
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        raise UserError(f"name one step of pruning.steps: {', '.join(steps)}")
    return settings, Step(sys.argv[1], steps[sys.argv[1]])


def starts_failed(step: Step) -> bool:
    """Whether the model that the step starts from failed the criterion."""
    return not artifacts.read_json(artifacts.verdict_path(step.start))["keeps_criterion"]


def pass_on(step: Step, source: Path, target: Path) -> None:
    """Hand a model that failed the criterion to the next stage as it is, and say so."""
    with artifacts.fresh_folder(target) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        for record in (artifacts.HISTORY, artifacts.REMOVAL):
            (folder / record).unlink(missing_ok=True)
    print(f"{step.name}: {step.start} failed the criterion; its model is passed on untouched")


@dataclass(frozen=True)
class Subject:
    """A network inside the chain, and the graph of what is left of it to prune."""

    network: nn.Module
    about: About
    graph: Graph
    dense_graph: Graph
    initial_parameters: int

    @property
    def removed(self) -> Removed:
        return removed_of(self.about)


def removed_of(about: About) -> Removed:
    """Units that a model has lost, as places in the groups of the dense network."""
    return {name: from_ranges(text) for name, text in about.removed.items()}


def load_subject(folder: Path) -> Subject:
    """Load a model of the chain with its graph."""
    content = artifacts.read_json(artifacts.GRAPH)
    graph = graph_from_json(content)
    network, about = load_network(folder)
    initial = int(content["network"]["parameters"])
    return Subject(network, about, graph.without(removed_of(about)), graph, initial)


def rank(subject: Subject, kind: Kind, task: Task, training: Training, phase: str) -> Importance:
    """Importance of all units that are left; `taylor` looks at training samples."""
    gradients = None
    if kind == "taylor":
        gradients = loss_gradients(subject.network, task, training, phase)
    return unit_importance(subject.network, subject.graph, kind, gradients)


def choose_for(
    subject: Subject, importance: Importance, planned: Mapping[str, Any]
) -> dict[str, Any]:
    """The units that a step's schedule file asks to remove, by group."""
    limits = Limits(
        planned["scope"], planned["minimum"], planned["round_to"], tuple(planned["protect"])
    )
    budget = budget_for(planned["target"], subject.initial_parameters)
    shapes = parameter_shapes(subject.network)
    return choose_units(subject.graph, importance, shapes, budget, limits)
