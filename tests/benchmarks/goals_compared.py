"""Quality at equal time: `goal: time` against `goal: parameters`, in a project with `goal: time`.

Where `dvc repro schedule` has run with `pruning.goal: time` and `round_to: auto`, in one step:
`PYTHONPATH=. python -m tests.benchmarks.goals_compared --shares 0.6 0.8`. Nothing is trained: the
dense network loses channels in one step and is repaired. The share of parameters to remove is
looked for by bisection, so that what is left takes the time that `goal: time` left. Times are
shares of the dense network's, beside it.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stages import artifacts
from stages.channels.importance import Importance
from stages.channels.repair import repair_channels
from stages.dependency.graph import Removed
from stages.errors import UserError
from stages.measuring.parameters import count_parameters
from stages.settings import load_settings
from stages.step_model import StepModel, choose_for, load_step_model, rank, without
from stages.tasks.task import Task, task_of
from stages.time_budget import Timing, budget_as_measured
from stages.training.loop import seed_everything
from stages.training.samples import drawings

CPU = torch.device("cpu")
TRIES = 7

Smaller = tuple[Removed, nn.Module]  # units that are gone, and what is left


@dataclass(frozen=True)
class Ranked:
    """A dense model, its importances, and the samples on which what is left is repaired."""

    model: StepModel
    importance: Importance
    task: Task
    inputs: list[Tensor]
    ridge: float


def main() -> None:
    """Print a row for each share and way of choosing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shares", nargs="+", type=float, default=[0.6, 0.8])
    shares = parser.parse_args().shares
    settings = load_settings()
    seed_everything(settings.seed)
    (step,) = settings.pruning.steps
    planned = artifacts.read_json(artifacts.prune_schedule(step))
    model, task = load_step_model(artifacts.DENSE_MODEL, settings.trusted), task_of(settings)
    (draw,) = drawings(1, task, f"prune {step}", settings.training)
    inputs = [batch for batch, _ in draw(planned["samples"])]
    ranked = Ranked(model, rank(model, planned, task, draw), task, inputs, planned["ridge"])
    timing = Timing(model.network, planned, CPU)
    print(f"seed {settings.seed}, {planned['runtime']}, dense {task.validate(model.network):.3f}")
    print(f"{'goal':<22} {'share':>6} {'time left':>9} {'parameters left':>15} {'quality':>8}")
    for share in shares:
        _rows(ranked, planned, share, timing)


def _rows(ranked: Ranked, planned: Mapping[str, Any], share: float, timing: Timing) -> None:
    budget = round((1 - share) * planned["initial"])
    asked = budget_as_measured(ranked.model, ranked.importance, planned, budget, timing)
    by_time = _chosen(ranked, planned, asked)
    time = timing.of(by_time[1]) / planned["initial"]
    _tell("time", share, time, ranked, by_time)
    for label, round_to in (("parameters", 1), ("parameters, auto", planned["round_to"])):
        counted = {**planned, "goal": "parameters", "prices": {}, "round_to": round_to}
        found = _as_fast(ranked, counted, time, timing)
        if found is None:
            print(f"{label:<22} {share:>6.2f}: cannot be as fast")
            continue
        left = timing.of(found[1]) / planned["initial"]
        _tell(label, share, left, ranked, found)


def _as_fast(
    ranked: Ranked, counted: Mapping[str, Any], time: float, timing: Timing
) -> Smaller | None:
    """The network of most parameters that takes no more of the dense one's time, if any does."""
    parameters, best = count_parameters(ranked.model.network), None
    low, high = 0.02, 0.9  # of the parameters, left
    for _ in range(TRIES):
        left = (low + high) / 2
        try:
            found = _chosen(ranked, counted, round(left * parameters))
        except UserError:  # multiples do not let so much go
            low = left
            continue
        if timing.of(found[1]) / counted["initial"] <= time:
            low, best = left, found
        else:
            high = left
    return best


def _chosen(ranked: Ranked, planned: Mapping[str, Any], budget: int) -> Smaller:
    chosen = choose_for(ranked.model, ranked.importance, planned, budget)
    return chosen, without(ranked.model, chosen)


def _tell(label: str, share: float, time: float, ranked: Ranked, found: Smaller) -> None:
    dense, (chosen, left) = ranked.model, found
    part = count_parameters(left) / count_parameters(dense.network)
    repair_channels(left, dense.network, dense.graph, chosen, ranked.inputs, ranked.ridge)
    quality = ranked.task.validate(left)
    print(f"{label:<22} {share:>6.2f} {time:>9.3f} {part:>15.3f} {quality:>8.3f}", flush=True)


if __name__ == "__main__":
    main()
