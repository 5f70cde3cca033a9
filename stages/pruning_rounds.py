"""Removal and repair of a step in turns, each removal proven."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from stages.channels.budget import budget_for
from stages.channels.curvature import Samples
from stages.channels.proof import DOUBLE, Proof, masking_proof
from stages.channels.removal import count_after, parameter_shapes, remove_channels
from stages.channels.repair import repair_channels
from stages.channels.schedule import round_budgets
from stages.contractions.refit import Repair
from stages.dependency.graph import Removed, combine, removed_indices
from stages.errors import UserError
from stages.measuring.parameters import count_parameters
from stages.settings import Training
from stages.step_model import StepModel, choose_for, rank
from stages.tasks.task import Task
from stages.training.samples import training_samples


@dataclass(frozen=True)
class Pruned:
    """What was removed of a step's model, the worst of the proofs, and the last repair."""

    removed: Removed
    proof: Proof
    repair: Repair | None


def prune_in_rounds(
    model: StepModel,
    start: nn.Module,
    planned: Mapping[str, Any],
    task: Task,
    training: Training,
    phase: str,
) -> Pruned:
    """Remove from the model's network until the step's target is met, and repair, in place.

    `start` is the network before, which repair imitates. After each round, of which the plan says
    how many, units are ranked anew.

    Raises:
        UserError: if the network without the units is not the network with them masked.
    """
    network, graph = model.network, model.graph
    gone: Removed = {}
    proofs, repair = [], None
    end = budget_for(planned["target"], model.initial_parameters)
    for budget in round_budgets(count_parameters(network), end, planned["rounds"]):
        left = replace(model, graph=graph.without(gone))
        importance = rank(left, planned, task, training, phase)
        chosen = choose_for(left, importance, planned, budget)
        proofs.append(_remove(left, chosen))
        gone = combine(graph, gone, chosen)
        if planned["repair"] != "none":
            samples = training_samples(task, planned["samples"], phase, training)
            repair = _repair(model, start, gone, samples, planned["ridge"])
    return Pruned(gone, max(proofs, key=lambda proof: proof.error / proof.limit), repair)


def _repair(
    model: StepModel, start: nn.Module, gone: Removed, samples: Samples, ridge: float
) -> Repair:
    inputs = [batch for batch, _ in samples]
    network, teacher = (one.to(inputs[0].device) for one in (model.network, start))
    repair = repair_channels(network, teacher, model.graph, gone, inputs, ridge)
    model.network.to("cpu")
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
