"""Prune single weights of the dense network at once, over many sparsities, by one score."""

import sys

from stages import artifacts
from stages.errors import UserError
from stages.running import run_stage
from stages.settings import SCORES, load_settings
from stages.weights.refine import COLUMNS


def main() -> None:
    """Write the order in which a score removes weights, and quality over sparsity."""
    settings = load_settings()
    if len(sys.argv) != 2 or sys.argv[1] not in SCORES:
        raise UserError(f"name one score: {', '.join(SCORES)}")
    score = sys.argv[1]
    if score in settings.of(settings.sweep).scores:
        from stages.sweeping import sweep_by  # seconds, where there is nothing to sweep

        sweep_by(score, settings)
        return
    reason = f"it is not among sweep.{settings.task}.scores"
    artifacts.write_nothing(artifacts.order_path(score), reason)
    artifacts.write_csv(artifacts.sweep_table(score), [], COLUMNS)
    print(f"{score}: not swept ({reason})")


if __name__ == "__main__":
    run_stage(main)
