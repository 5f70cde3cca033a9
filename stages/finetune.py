"""Train the model that will be pruned; the best on validation is kept."""

from stages import artifacts
from stages.networks.build import freeze_all_but_last
from stages.networks.saved import load_network, save_network
from stages.running import run_stage
from stages.settings import DENSE, load_settings
from stages.tasks.task import task_of
from stages.training.loop import Plan, seed_everything, train


def main() -> None:
    """Write the dense model."""
    settings = load_settings()
    phase = settings.of(settings.finetune)
    seed_everything(settings.seed)
    network, about = load_network(artifacts.START, settings.trusted)
    task = task_of(settings)
    if settings.of(settings.network).backbone == "frozen":
        freeze_all_but_last(network)
    plan = Plan("finetune", phase.epochs, phase.iterations, phase.learning_rate)
    outcome = train(network, task, plan, settings.training)
    with artifacts.fresh_folder(artifacts.DENSE_MODEL) as folder:
        save_network(folder, network, about.after("finetune", outcome.iterations))
        artifacts.write_csv(folder / artifacts.HISTORY, outcome.history)
    artifacts.write_json(artifacts.verdict_path(DENSE), {"keeps_criterion": True})
    print(
        f"dense: {task.quality.label} {task.quality.text(outcome.quality)} (epoch {outcome.epoch})"
    )


if __name__ == "__main__":
    run_stage(main)
