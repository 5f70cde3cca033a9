"""The model of a pruning step with its dependency graph: ranking and choosing its channels."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stages import artifacts
from stages.channels.budget import choose_units
from stages.channels.importance import Importance, unit_importance
from stages.channels.obs import obs_importance
from stages.channels.portions import Limits
from stages.channels.prices import Prices, prices_of
from stages.channels.removal import parameter_shapes, remove_channels, tensor_shapes
from stages.channels.sensitivity import curves_from
from stages.dependency.graph import Graph, Removed
from stages.dependency.graph_file import graph_from_json, removed_from_text
from stages.networks.saved import About, load_network
from stages.tasks.task import Task
from stages.training.gradients import loss_gradients
from stages.training.samples import Draw

NO_CURVES: Mapping[str, Any] = {"groups": {}}


@dataclass(frozen=True)
class StepModel:
    """A network that is being pruned, and the graph of what is left of it to prune."""

    network: nn.Module
    about: About
    graph: Graph
    dense_graph: Graph

    @property
    def removed(self) -> Removed:
        return removed_from_text(self.about.removed)


def load_step_model(folder: Path, trusted: Collection[str]) -> StepModel:
    """Load a model of the dense network's making with its graph."""
    graph = graph_from_json(artifacts.read_json(artifacts.GRAPH))
    network, about = load_network(folder, trusted)
    left = graph.without(removed_from_text(about.removed))
    return StepModel(network, about, left, graph)


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
    prices: Prices | None = None,
) -> dict[str, Any]:
    """The units that a step's schedule file asks to remove, by group.

    `budget` is what may be left of the goal, if not as much as the file says; `prices` are those
    of the dense network unless something else is known.
    """
    limits = limits_of(planned)
    shapes, left = tensor_shapes(model.network), planned["budget"] if budget is None else budget
    prices = prices or planned_prices(model, planned)
    return choose_units(model.graph, importance, shapes, left, limits, prices)


def without(model: StepModel, chosen: Removed) -> nn.Module:
    """A copy of the model's network without the chosen units."""
    smaller = copy.deepcopy(model.network)
    remove_channels(smaller, model.graph, chosen)
    return smaller


def with_curves(planned: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a step's schedule file says, and what `sensitivity` measured where the scope asks."""
    if planned["scope"] != "sensitivity":
        return planned
    return {**planned, "curves": artifacts.read_json(artifacts.SENSITIVITY)}


def limits_of(planned: Mapping[str, Any]) -> Limits:
    """The limits that a step's schedule file names."""
    protect, curves = tuple(planned["protect"]), curves_from(planned.get("curves", NO_CURVES))
    return Limits(planned["scope"], planned["minimum"], planned["round_to"], protect, curves)


def planned_prices(model: StepModel, planned: Mapping[str, Any]) -> Prices:
    """What an element of each tensor costs, in the goal that a step's schedule file names."""
    shapes = parameter_shapes(model.network)
    return prices_of(planned["goal"], shapes, planned.get("prices", {}))
