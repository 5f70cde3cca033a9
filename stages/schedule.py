"""Write each step's target, and what its sparsity learning may see: one small file each.

Stages depend on these files instead of on `pruning.*`, so only those whose file changed rerun.
"""

import math
from pathlib import Path
from typing import Any

from stages import artifacts
from stages.channels.budget import Limits, budget_for, smallest_reachable
from stages.channels.prices import Goal, Lengths, Prices, prices_of
from stages.channels.schedule import step_targets
from stages.dependency.graph import Graph
from stages.dependency.graph_file import graph_from_json
from stages.errors import UserError
from stages.running import run_stage
from stages.settings import Bound, Pruning, Settings, load_settings


def main() -> None:
    """Write the files of all steps."""
    settings = load_settings()
    pruning, content = settings.pruning, artifacts.read_json(artifacts.GRAPH)
    network, known = content["network"], artifacts.read_json(artifacts.PRICES)
    shapes = {name: tuple(s) for name, s in (network["shapes"] | network["buffers"]).items()}
    prices = prices_of(pruning.goal, network["shapes"], known)
    initial = prices.cost(shapes)
    share = _share(pruning, initial)
    targets = step_targets(pruning.schedule, share, list(pruning.steps), pruning.shares)
    _refuse_unreachable(max(targets.values()), pruning, graph_from_json(content), shapes, prices)
    with artifacts.fresh_folder(artifacts.SCHEDULE) as folder:
        for step, target in targets.items():
            goal = _goal(pruning.goal, target, initial, known)
            for path, text in _files_of(step, goal, settings).items():
                artifacts.write_json(folder / path.relative_to(artifacts.SCHEDULE), text)
        artifacts.write_json(folder / artifacts.REACHABLE.name, {"reachable": True})
    print(
        f"targets, of {pruning.goal}: "
        + ", ".join(f"{step} {target:.3f}" for step, target in targets.items())
    )


def _goal(goal: Goal, target: float, initial: int, known: dict[str, Any]) -> dict[str, Any]:
    """What a step must reach: the share and what may be left; prices, where they are needed."""
    asked = {"goal": goal, "target": target, "initial": initial}
    asked["budget"] = budget_for(target, initial)
    return asked if goal == "parameters" else asked | {"prices": {goal: known[goal]}}


def _files_of(step: str, goal: dict[str, Any], settings: Settings) -> dict[Path, dict[str, Any]]:
    """What each stage of a step may see: no more than changes its result."""
    pruning, chosen = settings.pruning, settings.chosen
    samples, ridge = settings.of(pruning.repair.samples), pruning.repair.ridge
    looking: dict[str, Any] = {"samples": samples, "ridge": ridge}
    ranking: dict[str, Any] = {"importance": chosen.importance, "protect": list(pruning.protect)}
    ranking |= looking if chosen.importance == "obs" else {}
    removal = {
        **ranking,
        **goal,
        "scope": pruning.scope,
        "minimum": pruning.minimum_channels,
        "round_to": pruning.round_to,
    }
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
    if pruning.target.most >= initial:
        raise UserError(
            f"pruning.target: the dense network has {initial:,} {pruning.goal}, no more than the "
            f"{pruning.target.most:,.0f} that may be left: give a lower bound"
        )
    return 1 - pruning.target.most / initial


def _refuse_unreachable(
    target: float, pruning: Pruning, graph: Graph, shapes: Lengths, prices: Prices
) -> None:
    """Refuse a target that the limits do not let the network reach, before anything is trained."""
    initial = prices.cost(shapes)
    limits = Limits(pruning.scope, pruning.minimum_channels, pruning.round_to, pruning.protect)
    least = smallest_reachable(graph, shapes, limits, prices)
    if pruning.goal == "macs" and prices.rest:
        # Activations multiplied with each other get fewer, too: nothing is refused that can be had.
        tensors = prices.of_tensors
        floor = smallest_reachable(graph, shapes, limits, tensors)
        least = round(floor * initial / tensors.cost(shapes))
    if least > budget_for(target, initial):
        raise UserError(
            f"pruning: a share of {target:g} of {pruning.goal} cannot go, "
            f"{floored(1 - least / initial)} at most can, with every group at its minimum "
            f"({least:,} of {initial:,} left): lower the target or pruning.minimum_channels, or "
            "protect less (`python -m stages.groups models/start` shows what is frozen)"
        )


def floored(share: float) -> str:
    """Four digits, so that the share in the message can be reached."""
    return f"{math.floor(1e4 * share) / 1e4:.4f}"


if __name__ == "__main__":
    run_stage(main)
