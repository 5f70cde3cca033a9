"""Removal and repair of a step, tried on several draws of samples."""

import copy
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stages.channels.budget import budget_for
from stages.channels.removal import count_after, parameter_shapes
from stages.dependency.build import build_graph
from stages.dependency.graph import removed_indices
from stages.measuring.parameters import count_parameters
from stages.networks.residual import ResidualClassifier
from stages.networks.saved import About
from stages.pruning_rounds import Imitated, Pruned, _best, prune_in_rounds
from stages.step_model import StepModel
from stages.tasks.task import Task
from stages.training.samples import Draw
from tests.dependency.networks_under_test import lively

SHAPE = (4, 2, 40)
TASK = cast(Task, SimpleNamespace(loss=cross_entropy, batch_size=4))


def draw_of(seed: int) -> Draw:
    generator = torch.Generator().manual_seed(seed)
    samples = [(torch.rand(SHAPE, generator=generator), torch.arange(4) % 3) for _ in range(3)]
    return lambda count: samples


DRAWS = [draw_of(seed) for seed in range(5)]


def model() -> StepModel:
    torch.manual_seed(0)
    network = lively(ResidualClassifier(3, (2, 40), (8, 8), (1, 2), 3))
    graph = build_graph(network, SHAPE)
    about = About("residual_signal", {}, SHAPE)
    return StepModel(network, about, graph, graph)


BUDGET = budget_for(0.6, count_parameters(model().network))


def pruned_by(start: StepModel, draws: list[Draw], rounds: int = 1) -> Pruned:
    planned = {
        "goal": "parameters", "budget": BUDGET, "rounds": rounds, "importance": "obs",
        "samples": 12, "ridge": 1e-3, "scope": "global", "minimum": 1, "round_to": 1, "protect": [],
    }  # fmt: skip
    imitated = Imitated(copy.deepcopy(start.network), start.graph, {})
    return prune_in_rounds(start, imitated, planned, TASK, draws)


def same(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(
        mine[name].shape == theirs[name].shape and torch.equal(mine[name], theirs[name])
        for name in mine
    )


def test_of_several_draws_the_one_with_the_least_loss_on_all_samples_goes_on() -> None:
    inputs = torch.cat([batch for draw in DRAWS for batch, _ in draw(12)])
    targets = torch.cat([batch for draw in DRAWS for _, batch in draw(12)])
    alone = [pruned_by(model(), [draw]) for draw in DRAWS]
    with torch.no_grad():
        losses = [float(cross_entropy(one.network(inputs), targets)) for one in alone]
    assert len(set(losses)) == len(DRAWS), "draws must differ, or nothing is tested"
    best = alone[losses.index(min(losses))]
    chosen = pruned_by(model(), DRAWS)
    assert same(chosen.network, best.network)
    assert chosen.repair == best.repair


def test_a_draw_whose_loss_is_not_a_number_does_not_go_on() -> None:
    tried = [pruned_by(model(), [draw]) for draw in DRAWS[:2]]
    with torch.no_grad():
        next(tried[0].network.parameters()).fill_(torch.nan)
    assert _best(tried, {"samples": 12}, TASK, DRAWS[:2]) is tried[1]


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("draws", [1, 2])
def test_the_target_is_met_and_the_given_network_stays(draws: int, rounds: int) -> None:
    start, before = model(), model()
    pruned = pruned_by(start, DRAWS[:draws], rounds)
    assert same(start.network, before.network)
    assert count_parameters(pruned.network) <= BUDGET
    gone = removed_indices(start.graph, pruned.removed)
    assert count_after(parameter_shapes(before.network), gone) == count_parameters(pruned.network)
