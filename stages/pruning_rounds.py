"""Removal and repair of a step in turns, each removal proven."""

import copy
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from stages import artifacts
from stages.channels.proof import DOUBLE, Proof, masking_proof
from stages.channels.removal import count_after, parameter_shapes, remove_channels
from stages.channels.repair import repair_channels
from stages.channels.schedule import round_budgets
from stages.contractions.refit import Repair
from stages.dependency.graph import Graph, Removed, combine, removed_indices
from stages.errors import UserError
from stages.goal_budget import choose_within, left_of
from stages.measuring.parameters import count_parameters
from stages.networks.saved import load_network
from stages.step_model import StepModel, planned_prices, rank
from stages.tasks.task import Task
from stages.time_budget import Timing, budget_as_measured
from stages.training.samples import Draw, mean_loss


@dataclass(frozen=True)
class Pruned:
    """A step's network after removal, what went of it, how that was proven, and its repair."""

    network: nn.Module
    removed: Removed
    proof: Proof
    repair: Repair | None = None


@dataclass(frozen=True)
class Imitated:
    """The network that repair imitates, its graph, and which of its units went before."""

    network: nn.Module
    graph: Graph
    removed: Removed


def last_trained(model: StepModel, trusted: Collection[str]) -> Imitated:
    """The network that was trained last: the step's own as it is, or the dense one.

    Where nothing was trained since, the dense one is the better to imitate: errors of earlier
    repairs do not add up.
    """
    dense, about = load_network(artifacts.DENSE_MODEL, trusted)
    if about.iterations == model.about.iterations:
        return Imitated(dense, model.dense_graph, model.removed)
    return Imitated(copy.deepcopy(model.network), model.graph, {})


def prune_in_rounds(
    model: StepModel,
    imitated: Imitated | None,
    planned: Mapping[str, Any],
    task: Task,
    draws: Sequence[Draw],
    timing: Timing | None = None,
) -> Pruned:
    """Remove from copies of the model's network until the step's target is met, and repair.

    Nothing is repaired where there is no network to imitate. After each round, of which the plan
    says how many, units are ranked anew. Of several draws of samples, on which ranking and repair
    depend, the one goes on whose loss is the least on the samples of all. The proof is the worst.
    Where there is `timing`, it says what the cost table must be asked for.

    Raises:
        UserError: if the network without the units is not the network with them masked.
    """
    network, done = model.network, list[Pruned]()
    gone: Removed = {}
    now = left_of(network, planned_prices(model, planned), planned)
    for budget in round_budgets(now, planned["budget"], planned["rounds"]):
        left = replace(model, network=network, graph=model.graph.without(gone))
        tried = list[Pruned]()
        for draw in draws:
            importance = rank(left, planned, task, draw)
            if timing and not tried:
                budget = budget_as_measured(left, importance, planned, budget, timing)
            chosen = choose_within(left, importance, planned, budget)
            smaller = copy.deepcopy(network)
            proof = _remove(replace(left, network=smaller), chosen)
            pruned = Pruned(smaller, combine(model.graph, gone, chosen), proof)
            tried.append(_repaired(pruned, imitated, planned, draw))
        done.append(_best(tried, planned, task, draws))
        network, gone = done[-1].network, done[-1].removed
    worst = max((one.proof for one in done), key=lambda proof: proof.error / proof.limit)
    _tell_precision(worst)
    return replace(done[-1], proof=worst)


def _repaired(
    pruned: Pruned, imitated: Imitated | None, planned: Mapping[str, Any], draw: Draw
) -> Pruned:
    if imitated is None:
        return pruned
    inputs = [batch for batch, _ in draw(planned["samples"])]
    network, graph, device = pruned.network, imitated.graph, inputs[0].device
    removed = combine(graph, imitated.removed, pruned.removed)
    teacher = imitated.network.to(device)
    repair = repair_channels(network.to(device), teacher, graph, removed, inputs, planned["ridge"])
    network.to("cpu")
    return replace(pruned, repair=repair)


def _best(
    tried: Sequence[Pruned], planned: Mapping[str, Any], task: Task, draws: Sequence[Draw]
) -> Pruned:
    """Of networks, each made from a draw, the one with the least loss on the samples of all."""
    if len(tried) == 1:
        return tried[0]
    samples = [batch for draw in draws for batch in draw(planned["samples"])]
    losses = [mean_loss(one.network, task.loss, samples) for one in tried]
    best = min(range(len(losses)), key=lambda number: (math.isnan(losses[number]), losses[number]))
    print(
        f"prune: of {len(tried)} draws of samples, number {best + 1} has the least training loss, "
        f"{losses[best]:.4g}; the others up to {max(losses):.4g}"
    )
    return tried[best]


def _remove(model: StepModel, chosen: Removed) -> Proof:
    """Remove from the model's network, checked against masking and against the predicted count."""
    network, graph = model.network, model.graph
    proof = _proven(model, chosen)
    predicted = count_after(parameter_shapes(network), removed_indices(graph, chosen))
    remove_channels(network, graph, chosen)
    counted = count_parameters(network)
    assert counted == predicted, f"{counted} parameters are left, not the {predicted} predicted"
    return proof


def _proven(model: StepModel, chosen: Removed) -> Proof:
    generator = torch.Generator().manual_seed(0)
    example = torch.rand(model.about.example_shape, generator=generator)
    proof = masking_proof(model.network, example, model.graph, chosen)
    if not proof.holds:
        raise UserError(
            f"removal would change what the network computes (relative error {proof.error:.1e} "
            f"against masking, in {proof.precision}): protect the layers in question with "
            "pruning.protect and report the network"
        )
    return proof


def _tell_precision(proof: Proof) -> None:
    if proof.precision != DOUBLE:
        print(
            f"prune: the network does not compute in {DOUBLE} throughout: compared with masking in "
            f"{proof.precision}, with an error of {proof.limit:.0e} allowed"
        )
