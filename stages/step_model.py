"""The model of a pruning step with its dependency graph: ranking and choosing its channels."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stages import artifacts
from stages.channels.budget import Limits, budget_for, choose_units
from stages.channels.importance import Importance, unit_importance
from stages.channels.obs import obs_importance
from stages.channels.removal import parameter_shapes
from stages.dependency.graph import Graph, Removed
from stages.dependency.graph_file import graph_from_json, removed_from_text
from stages.networks.saved import About, load_network
from stages.tasks.task import Task
from stages.training.gradients import loss_gradients
from stages.training.samples import Draw


@dataclass(frozen=True)
class StepModel:
    """A network that is being pruned, and the graph of what is left of it to prune."""

    network: nn.Module
    about: About
    graph: Graph
    dense_graph: Graph
    initial_parameters: int

    @property
    def removed(self) -> Removed:
        return removed_from_text(self.about.removed)


def load_step_model(folder: Path, trusted: Collection[str]) -> StepModel:
    """Load a model of the dense network's making with its graph."""
    content = artifacts.read_json(artifacts.GRAPH)
    graph = graph_from_json(content)
    network, about = load_network(folder, trusted)
    initial = int(content["network"]["parameters"])
    return StepModel(
        network, about, graph.without(removed_from_text(about.removed)), graph, initial
    )


def rank(model: StepModel, ranking: Mapping[str, Any], task: Task, draw: Draw) -> Importance:
    """Importance of all units that are left, as a schedule file says.

    `taylor` and `obs` look at training samples; groups that `obs` cannot rank are named.
    """
    kind = ranking["importance"]
    if kind == "obs":
        samples = draw(ranking["samples"])
        network = model.network.to(samples[0][0].device)
        importance, others = obs_importance(
            network, model.graph, samples, task.loss, ranking["ridge"]
        )
        network.to("cpu")
        if others:
            print(f"ranked by taylor, as no layer reads them alone: {', '.join(others)}")
        return importance
    gradients = None
    if kind == "taylor":
        gradients = loss_gradients(model.network, task, draw)
    return unit_importance(model.network, model.graph, kind, gradients)


def choose_for(
    model: StepModel,
    importance: Importance,
    planned: Mapping[str, Any],
    budget: int | None = None,
) -> dict[str, Any]:
    """The units that a step's schedule file asks to remove, by group.

    `budget` is how many parameters may be left, if not as many as the step's target says.
    """
    limits = Limits(
        planned["scope"], planned["minimum"], planned["round_to"], tuple(planned["protect"])
    )
    if budget is None:
        budget = budget_for(planned["target"], model.initial_parameters)
    shapes = parameter_shapes(model.network)
    return choose_units(model.graph, importance, shapes, budget, limits)
