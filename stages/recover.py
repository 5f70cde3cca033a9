"""Train a pruned model until it has recovered; the best on validation is kept."""

from stages import artifacts
from stages.pruning_step import hand_over, pass_on, starts_failed, step_from_arguments
from stages.running import run_stage


def main() -> None:
    """Write the model that the step ends with."""
    settings, step = step_from_arguments()
    source, target = artifacts.after_removal_path(step.name), artifacts.model_path(step.name)
    if starts_failed(step):
        pass_on(step, source, target)
    elif not artifacts.read_json(artifacts.recover_schedule(step.name))["train"]:
        hand_over(source, target)
        print(f"{step.name}: not trained, as the procedure says")
    else:
        from stages.recovery import recover  # seconds, where there is nothing to train

        print(f"{step.name}: {recover(settings, step)}")


if __name__ == "__main__":
    run_stage(main)
