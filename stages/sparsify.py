"""Sparsity learning of a step: penalties grow on whole channels while the network trains."""

from stages import artifacts
from stages.pruning_step import hand_over, pass_on, starts_failed, step_from_arguments
from stages.running import run_stage


def main() -> None:
    """Write the step's sparsified model."""
    settings, step = step_from_arguments()
    source, target = artifacts.model_path(step.start), artifacts.sparsified_path(step.name)
    visible = artifacts.read_json(artifacts.sparsify_schedule(step.name))
    if starts_failed(step):
        pass_on(step, source, target)
    elif visible["regime"] == "none":
        hand_over(source, target)
        print(f"{step.name}: no sparsity is learned, as the procedure says")
    else:
        from stages.sparsity_learning import sparsify  # seconds, where there is nothing to train

        sparsify(settings, step, visible)
        print(f"{step.name}: sparsity learning, regime {visible['regime']}")


if __name__ == "__main__":
    run_stage(main)
