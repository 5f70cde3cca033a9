"""Write each step's target, and what its sparsity learning may see: one small file each.

Stages depend on these files instead of on `pruning.*`, so only those whose file changed rerun.
"""

from pathlib import Path
from typing import Any

from stages import artifacts
from stages.channels.budget import Limits, budget_for, smallest_reachable
from stages.channels.schedule import step_targets
from stages.dependency.graph_file import graph_from_json
from stages.errors import UserError
from stages.running import run_stage
from stages.settings import Pruning, Settings, load_settings


def main() -> None:
    """Write the files of all steps."""
    settings = load_settings()
    pruning = settings.pruning
    targets = step_targets(pruning.schedule, pruning.target, list(pruning.steps), pruning.shares)
    _refuse_unreachable(max(targets.values()), pruning)
    with artifacts.fresh_folder(artifacts.SCHEDULE) as folder:
        for step, target in targets.items():
            for path, content in _files_of(step, target, settings).items():
                artifacts.write_json(folder / path.relative_to(artifacts.SCHEDULE), content)
        artifacts.write_json(folder / artifacts.REACHABLE.name, {"reachable": True})
    print("targets: " + ", ".join(f"{step} {target:.3f}" for step, target in targets.items()))


def _files_of(step: str, target: float, settings: Settings) -> dict[Path, dict[str, Any]]:
    """What each stage of a step may see: no more than changes its result."""
    pruning, chosen = settings.pruning, settings.chosen
    samples, ridge = settings.of(pruning.repair.samples), pruning.repair.ridge
    looking: dict[str, Any] = {"samples": samples, "ridge": ridge}
    ranking: dict[str, Any] = {"importance": chosen.importance, "protect": list(pruning.protect)}
    ranking |= looking if chosen.importance == "obs" else {}
    removal = {
        **ranking,
        "target": target,
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


def _refuse_unreachable(target: float, pruning: Pruning) -> None:
    """Refuse a target that the limits do not let the network reach, before anything is trained."""
    content = artifacts.read_json(artifacts.GRAPH)
    initial, shapes = content["network"]["parameters"], content["network"]["shapes"]
    limits = Limits(pruning.scope, pruning.minimum_channels, pruning.round_to, pruning.protect)
    least = smallest_reachable(graph_from_json(content), shapes, limits)
    if least > budget_for(target, initial):
        raise UserError(
            f"pruning: a share of {target:g} cannot go, {1 - least / initial:.4f} at most can, "
            "with every group at its minimum: lower the target or pruning.minimum_channels, or "
            "protect less (`python -m stages.groups models/start` shows what is frozen)"
        )


if __name__ == "__main__":
    run_stage(main)
