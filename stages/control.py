"""Train a control under the same total number of iterations as the selected model.

`longer` is the dense network trained for all of them; `scratch` is the selected architecture,
freshly initialised. Off by default (`controls.train`): then this only says so.
"""

import sys
from dataclasses import replace

from torch import nn

from stages import artifacts
from stages.errors import UserError, run_stage
from stages.networks.build import build_network
from stages.networks.saved import About, load_network, save_network
from stages.settings import CONTROLS, Settings, load_settings
from stages.tasks.choose import task_of
from stages.training.loop import Plan, Row, seed_everything, train


def main() -> None:
    """Write a trained control model, or a note that it was not asked for."""
    settings = load_settings()
    if len(sys.argv) != 2 or sys.argv[1] not in CONTROLS:
        raise UserError(f"name one control: {', '.join(CONTROLS)}")
    control = sys.argv[1]
    if settings.controls.train:
        _train(settings, control)
    else:
        with artifacts.fresh_folder(artifacts.control_path(control)) as folder:
            artifacts.write_json(folder / artifacts.CONTROL, {"trained": False})
        print(f"control {control}: not trained (controls.train is false)")


def _train(settings: Settings, control: str) -> None:
    seed_everything(settings.seed)
    network, about = load_network(artifacts.SELECTED_MODEL)
    total = about.iterations
    if control == "longer":
        network, about = build_network(about.factory, about.arguments), replace(about, removed={})
    else:
        initialise(network)
    task, phase = task_of(settings), settings.of(settings.finetune)
    epochs = max(1, round(total / phase.iterations))
    plan = Plan(f"control {control}", epochs, round(total / epochs), phase.learning_rate)
    outcome = train(network, task, plan, settings.training)
    about = replace(about, stages=(f"control {control}",), iterations=outcome.iterations)
    _save(control, network, about, outcome.history)
    quality = task.quality
    print(f"control {control}: {quality.label} {outcome.quality:.3f} {quality.unit} on validation")


def _save(control: str, network: nn.Module, about: About, history: list[Row]) -> None:
    with artifacts.fresh_folder(artifacts.control_path(control)) as folder:
        save_network(folder, network, about)
        artifacts.write_csv(folder / artifacts.HISTORY, history)
        artifacts.write_json(folder / artifacts.CONTROL, {"trained": True})


def initialise(network: nn.Module) -> None:
    """Give every layer fresh weights for the shape it has now."""
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()


if __name__ == "__main__":
    run_stage(main)
