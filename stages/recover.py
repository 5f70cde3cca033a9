"""Train a pruned model until it has recovered; the best on validation is kept."""

from stages import artifacts
from stages.networks.saved import load_network, save_network
from stages.pruning_step import hand_over, pass_on, starts_failed, step_from_arguments
from stages.running import run_stage
from stages.tasks.task import task_of
from stages.training.loop import Plan, seed_everything, train


def main() -> None:
    """Write the model that the step ends with."""
    settings, step = step_from_arguments()
    source, target = artifacts.after_removal_path(step.name), artifacts.model_path(step.name)
    if starts_failed(step):
        pass_on(step, source, target)
        return
    if not artifacts.read_json(artifacts.recover_schedule(step.name))["train"]:
        hand_over(source, target)
        print(f"{step.name}: not trained, as the procedure says")
        return
    seed_everything(settings.seed)
    network, about = load_network(source, settings.trusted)
    task, phase = task_of(settings), settings.of(settings.recovery)
    plan = Plan(f"recover {step.name}", phase.epochs, phase.iterations, phase.learning_rate)
    outcome = train(network, task, plan, settings.training)
    about = about.after(plan.phase, outcome.iterations)
    with artifacts.fresh_folder(target) as folder:
        save_network(folder, network, about)
        artifacts.write_csv(folder / artifacts.HISTORY, outcome.history)
    text = task.quality.text(outcome.quality)
    print(f"{step.name}: {task.quality.label} {text} after recovery")


if __name__ == "__main__":
    run_stage(main)
