"""Train the model that will be pruned; the best on validation is kept."""

from stages import artifacts
from stages.networks.build import build_network, resolve
from stages.networks.saved import About, save_network
from stages.running import run_stage
from stages.settings import DENSE, load_settings
from stages.tasks.task import task_of
from stages.training.initial_weights import freeze_all_but_last, load_weights
from stages.training.loop import Plan, seed_everything, train


def main() -> None:
    """Write the dense model."""
    settings = load_settings()
    chosen, phase = settings.of(settings.network), settings.of(settings.finetune)
    seed_everything(settings.seed)
    task = task_of(settings)
    factory, arguments = resolve(chosen.factory, chosen.arguments, task.factory_arguments())
    network = build_network(factory, arguments)
    if chosen.weights:
        load_weights(network, chosen.weights, chosen.factory, task.allows_new_head)
    task.check(network)
    if chosen.backbone == "frozen":
        freeze_all_but_last(network)
    plan = Plan("finetune", phase.epochs, phase.iterations, phase.learning_rate)
    outcome = train(network, task, plan, settings.training)
    about = About(factory, arguments, task.example_shape, ("finetune",), outcome.iterations)
    with artifacts.fresh_folder(artifacts.DENSE_MODEL) as folder:
        save_network(folder, network, about)
        artifacts.write_csv(folder / artifacts.HISTORY, outcome.history)
    artifacts.write_json(artifacts.verdict_path(DENSE), {"keeps_criterion": True})
    print(
        f"dense: {task.quality.label} {task.quality.text(outcome.quality)} (epoch {outcome.epoch})"
    )


if __name__ == "__main__":
    run_stage(main)
