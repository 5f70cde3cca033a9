"""Training a pruned model until it has recovered."""

from stages import artifacts
from stages.networks.saved import load_network, save_network
from stages.pruning_step import Step
from stages.settings import Settings
from stages.tasks.task import task_of
from stages.training.loop import Plan, seed_everything, train


def recover(settings: Settings, step: Step) -> str:
    """Write the model that the step ends with, the best on validation; say how good it is."""
    seed_everything(settings.seed)
    network, about = load_network(artifacts.after_removal_path(step.name), settings.trusted)
    task, phase = task_of(settings), settings.of(settings.recovery)
    plan = Plan(f"recover {step.name}", phase.epochs, phase.iterations, phase.learning_rate)
    outcome = train(network, task, plan, settings.training)
    about = about.after(plan.phase, outcome.iterations)
    with artifacts.fresh_folder(artifacts.model_path(step.name)) as folder:
        save_network(folder, network, about)
        artifacts.write_csv(folder / artifacts.HISTORY, outcome.history)
    return f"{task.quality.label} {task.quality.text(outcome.quality)} after recovery"
