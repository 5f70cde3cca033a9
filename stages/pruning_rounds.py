"""Removal and repair of a step in turns, each removal proven."""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from stages import artifacts
from stages.channels.budget import budget_for
from stages.channels.proof import DOUBLE, Proof, masking_proof
from stages.channels.removal import count_after, parameter_shapes, remove_channels
from stages.channels.repair import repair_channels
from stages.channels.schedule import round_budgets
from stages.contractions.refit import Repair
from stages.dependency.graph import Graph, Removed, combine, removed_indices
from stages.errors import UserError
from stages.measuring.parameters import count_parameters
from stages.networks.saved import load_network
from stages.step_model import StepModel, choose_for, rank
from stages.tasks.task import Task
from stages.training.samples import Draw


@dataclass(frozen=True)
class Pruned:
    """What was removed of a step's model, the worst of the proofs, and the last repair."""

    removed: Removed
    proof: Proof
    repair: Repair | None


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
    draw: Draw,
) -> Pruned:
    """Remove from the model's network until the step's target is met, and repair, in place.

    Nothing is repaired where there is no network to imitate.
    After each round, of which the plan says how many, units are ranked anew.

    Raises:
        UserError: if the network without the units is not the network with them masked.
    """
    network, graph = model.network, model.graph
    gone: Removed = {}
    proofs, repair = [], None
    end = budget_for(planned["target"], model.initial_parameters)
    for budget in round_budgets(count_parameters(network), end, planned["rounds"]):
        left = replace(model, graph=graph.without(gone))
        importance = rank(left, planned, task, draw)
        chosen = choose_for(left, importance, planned, budget)
        proofs.append(_remove(left, chosen))
        gone = combine(graph, gone, chosen)
        if imitated is not None:
            inputs = [batch for batch, _ in draw(planned["samples"])]
            repair = _repair(network, imitated, gone, inputs, planned["ridge"])
    return Pruned(gone, max(proofs, key=lambda proof: proof.error / proof.limit), repair)


def _repair(
    network: nn.Module, imitated: Imitated, gone: Removed, inputs: Sequence[Tensor], ridge: float
) -> Repair:
    device, graph = inputs[0].device, imitated.graph
    removed = combine(graph, imitated.removed, gone)
    repair = repair_channels(
        network.to(device), imitated.network.to(device), graph, removed, inputs, ridge
    )
    network.to("cpu")
    return repair


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
    if proof.precision != DOUBLE:
        print(
            f"prune: the network does not compute in {DOUBLE} throughout: compared with masking in "
            f"{proof.precision}, with an error of {proof.limit:.0e} allowed"
        )
    if not proof.holds:
        raise UserError(
            f"removal would change what the network computes (relative error {proof.error:.1e} "
            f"against masking, in {proof.precision}): protect the layers in question with "
            "pruning.protect and report the network"
        )
    return proof
