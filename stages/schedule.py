"""Write each step's target, and what its sparsity learning may see: one small file each.

Stages depend on these files instead of on `pruning.*`, so only those whose file changed rerun.
"""

from stages import artifacts
from stages.channels.schedule import step_targets
from stages.running import run_stage
from stages.settings import load_settings


def main() -> None:
    """Write the files of all steps."""
    settings = load_settings()
    pruning = settings.pruning
    targets = step_targets(pruning.schedule, pruning.target, list(pruning.steps), pruning.shares)
    ranking = {"importance": pruning.importance, "protect": list(pruning.protect)}
    limits = {
        "scope": pruning.scope,
        "minimum": pruning.minimum_channels,
        "round_to": pruning.round_to,
    }
    regime = settings.of(settings.sparsity).regime
    with artifacts.fresh_folder(artifacts.SCHEDULE) as folder:
        for step, target in targets.items():
            removal = {"target": target, **ranking, **limits}
            seen = {"growing": ranking, "selected": removal, "none": {}}[regime]
            for path, content in (
                (artifacts.prune_schedule(step), removal),
                (artifacts.sparsify_schedule(step), {"regime": regime, "seen": seen}),
            ):
                artifacts.write_json(folder / path.relative_to(artifacts.SCHEDULE), content)
    print("targets: " + ", ".join(f"{step} {target:.3f}" for step, target in targets.items()))


if __name__ == "__main__":
    run_stage(main)
