"""Write each step's target, and what its sparsity learning may see: one small file each.

Stages depend on these files instead of on `pruning.*`, so only those whose file changed rerun.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages import artifacts
from stages.channels.budget import budget_for, smallest_reachable
from stages.channels.portions import Limits
from stages.channels.prices import NS_PER_MS, Lengths, Prices, amount, prices_of
from stages.channels.schedule import step_targets
from stages.cost_table import cost_table
from stages.dependency.graph import Graph
from stages.dependency.graph_file import graph_from_json
from stages.errors import UserError
from stages.running import run_stage
from stages.settings import Bound, Pruning, Settings, load_settings


@dataclass(frozen=True)
class Dense:
    """The dense network's graph, lengths and prices, and multiples that pay, by group."""

    graph: Graph
    shapes: Lengths
    prices: Prices
    multiples: Mapping[str, int]

    @property
    def initial(self) -> int:
        return self.prices.cost(self.shapes)


def main() -> None:
    """Write the files of all steps."""
    settings = load_settings()
    pruning, costs = settings.pruning, cost_table(settings)
    known = artifacts.read_json(artifacts.PRICES) | {"time": costs.get("time")}
    dense = _dense(pruning, known, costs)
    share = _share(pruning, dense.initial)
    targets = step_targets(pruning.schedule, share, list(pruning.steps), pruning.shares)
    limits = _limits_for(max(targets.values()), pruning, dense)
    with artifacts.fresh_folder(artifacts.SCHEDULE) as folder:
        for step, target in targets.items():
            goal = _goal(pruning, target, dense.initial, known, costs)
            for path, text in _files_of(step, goal | _as_json(limits), settings).items():
                artifacts.write_json(folder / path.relative_to(artifacts.SCHEDULE), text)
        artifacts.write_json(folder / artifacts.REACHABLE.name, {"reachable": True})
    print(
        f"targets, of {pruning.goal}: "
        + ", ".join(f"{step} {target:.3f}" for step, target in targets.items())
    )


def _dense(pruning: Pruning, known: Mapping[str, Any], costs: Mapping[str, Any]) -> Dense:
    content = artifacts.read_json(artifacts.GRAPH)
    network = content["network"]
    shapes = {name: tuple(s) for name, s in (network["shapes"] | network["buffers"]).items()}
    prices = prices_of(pruning.goal, network["shapes"], known)
    return Dense(graph_from_json(content), shapes, prices, costs.get("multiples", {}))


def _goal(
    pruning: Pruning, target: float, initial: int, known: dict[str, Any], costs: dict[str, Any]
) -> dict[str, Any]:
    """What a step must reach: the share and what may be left; prices, where they are needed.

    Time is set right by measuring: where, and whether it is to be so many ms or a share.
    """
    goal, asked = pruning.goal, {"goal": pruning.goal, "target": target, "initial": initial}
    asked["budget"] = budget_for(target, initial)
    if goal == "time":
        asked |= {"runtime": costs["runtime"], "shape": costs["shape"]}
        asked["absolute"] = isinstance(pruning.target, Bound) and pruning.schedule != "explicit"
    return asked if goal == "parameters" else asked | {"prices": {goal: known[goal]}}


def _as_json(limits: Limits) -> dict[str, Any]:
    return {"scope": limits.scope, "minimum": limits.minimum, "round_to": limits.round_to}


def _files_of(step: str, goal: dict[str, Any], settings: Settings) -> dict[Path, dict[str, Any]]:
    """What each stage of a step may see: no more than changes its result."""
    pruning, chosen = settings.pruning, settings.chosen
    samples, ridge = settings.of(pruning.repair.samples), pruning.repair.ridge
    looking: dict[str, Any] = {"samples": samples, "ridge": ridge}
    ranking: dict[str, Any] = {"importance": chosen.importance, "protect": list(pruning.protect)}
    ranking |= looking if chosen.importance == "obs" else {}
    removal = {**ranking, **goal}
    repair: dict[str, Any] = {"rounds": pruning.rounds, "repair": chosen.repair}
    repair |= looking if chosen.repair != "none" else {}
    tried = chosen.repair != "none" and chosen.importance in ("obs", "taylor")
    repair["draws"] = settings.of(pruning.repair.draws) if tried else 1
    seen = {"growing": ranking, "selected": removal, "none": {}}[chosen.regime]
    return {
        artifacts.prune_schedule(step): removal | repair,
        artifacts.sparsify_schedule(step): {"regime": chosen.regime, "seen": seen},
        artifacts.recover_schedule(step): {"train": chosen.recovery},
    }


def _share(pruning: Pruning, initial: int) -> float:
    """The share that is to go in the end, of a cost that is `initial` for the dense network."""
    if not isinstance(pruning.target, Bound):
        return pruning.target
    most = pruning.target.most * (NS_PER_MS if pruning.goal == "time" else 1)
    if most >= initial:
        raise UserError(
            f"pruning.target: the dense network has {amount(pruning.goal, initial)}, no more than "
            f"the {amount(pruning.goal, most)} that may be left: give a lower bound"
        )
    return 1 - most / initial


def _limits_for(target: float, pruning: Pruning, dense: Dense) -> Limits:
    """What choosing must respect for a target; multiples that pay are halved until it can be met.

    Raises:
        UserError: if the limits do not let the network reach it: before anything is trained.
    """
    round_to = dense.multiples if pruning.round_to == "auto" else pruning.round_to
    limits = Limits(pruning.scope, pruning.minimum_channels, round_to, pruning.protect)
    while (least := _least(dense, limits)) > budget_for(target, dense.initial):
        finer = limits.finer()
        if finer is None:
            raise UserError(_unreachable(target, pruning, dense, least))
        limits = finer
    return limits


def _least(dense: Dense, limits: Limits) -> int:
    """The least that the limits leave of the goal."""
    if dense.prices.goal != "macs" or not dense.prices.rest:
        return smallest_reachable(dense.graph, dense.shapes, limits, dense.prices)
    # Activations multiplied with each other get fewer, too: nothing is refused that can be had.
    tensors = dense.prices.of_tensors
    floor = smallest_reachable(dense.graph, dense.shapes, limits, tensors)
    return round(floor * dense.initial / tensors.cost(dense.shapes))


def _unreachable(target: float, pruning: Pruning, dense: Dense, least: int) -> str:
    goal, initial = pruning.goal, dense.initial
    return (
        f"pruning: a share of {target:g} of {goal} cannot go, {floored(1 - least / initial)} at "
        f"most can, with every group at its minimum ({amount(goal, least)} of "
        f"{amount(goal, initial)} left): lower the target or pruning.minimum_channels, or "
        "protect less (`python -m stages.groups models/start` shows what is frozen)"
    )


def floored(share: float) -> str:
    """Four digits, so that the share in the message can be reached."""
    return f"{math.floor(1e4 * share) / 1e4:.4f}"


if __name__ == "__main__":
    run_stage(main)
