"""Train the model that will be pruned; the best on validation is kept."""

from stages import artifacts
from stages.errors import run_stage
from stages.networks.build import FACTORIES, build_network, load_weights
from stages.networks.saved import About, save_network
from stages.settings import DENSE, load_settings
from stages.tasks.choose import task_of
from stages.training.loop import Plan, seed_everything, train


def main() -> None:
    """Write the dense model."""
    settings = load_settings()
    chosen, phase = settings.of(settings.network), settings.of(settings.finetune)
    seed_everything(settings.seed)
    network = build_network(chosen.factory, chosen.arguments)
    if chosen.weights:
        load_weights(network, chosen.weights)
    task = task_of(settings)
    task.check(network)
    plan = Plan("finetune", phase.epochs, phase.iterations, phase.learning_rate)
    outcome = train(network, task, plan, settings.training)
    factory = FACTORIES.get(chosen.factory, chosen.factory)
    about = About(factory, chosen.arguments, task.example_shape, ("finetune",), outcome.iterations)
    with artifacts.fresh_folder(artifacts.DENSE_MODEL) as folder:
        save_network(folder, network, about)
        artifacts.write_csv(folder / artifacts.HISTORY, outcome.history)
    artifacts.write_json(artifacts.verdict_path(DENSE), {"keeps_criterion": True})
    quality = task.quality
    print(f"dense: {quality.label} {outcome.quality:.3f} {quality.unit} (epoch {outcome.epoch})")


if __name__ == "__main__":
    run_stage(main)
