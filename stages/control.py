"""Train a control under the same total number of iterations as the selected model.

`longer` is the dense network trained for all of them; `scratch` is the selected architecture,
freshly initialised. Off by default (`controls.train`): then this only says so.
"""

import sys
from dataclasses import replace

from torch import nn

from stages import artifacts
from stages.channels.removal import remove_channels
from stages.dependency.graph_file import graph_from_json, removed_from_text
from stages.errors import UserError
from stages.networks.saved import About, load_network, save_network
from stages.running import run_stage
from stages.settings import CONTROLS, Phase, Settings, load_settings
from stages.tasks.task import task_of
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
        reason = "controls.train is false"
        artifacts.write_nothing(artifacts.control_path(control), reason)
        print(f"control {control}: not trained ({reason})")


def _train(settings: Settings, control: str) -> None:
    seed_everything(settings.seed)
    phase, task = settings.of(settings.finetune), task_of(settings)
    _, about = load_network(artifacts.SELECTED_MODEL, settings.trusted)
    network, _ = load_network(artifacts.START, settings.trusted)
    if control == "scratch":
        _shape_like(network, about)
    plan = _plan(f"control {control}", phase, about.iterations)
    outcome = train(network, task, plan, settings.training)
    removed = about.removed if control == "scratch" else {}
    about = replace(about, stages=(plan.phase,), iterations=outcome.iterations, removed=removed)
    _save(control, network, about, outcome.history)
    text = task.quality.text(outcome.quality)
    print(f"control {control}: {task.quality.label} {text} on validation")


def _plan(name: str, phase: Phase, total: int) -> Plan:
    """Exactly `total` iterations in epochs about as long as the phase's."""
    epochs = min(total, max(1, round(total / phase.iterations)))
    each, extra = divmod(total, epochs) if epochs else (phase.iterations, 0)
    return Plan(name, epochs, each, phase.learning_rate, extra=extra)


def _shape_like(network: nn.Module, about: About) -> None:
    """Give a fresh network the selected one's shape, and every layer fresh weights for it."""
    graph = graph_from_json(artifacts.read_json(artifacts.GRAPH))
    remove_channels(network, graph, removed_from_text(about.removed))
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()


def _save(control: str, network: nn.Module, about: About, history: list[Row]) -> None:
    with artifacts.fresh_folder(artifacts.control_path(control)) as folder:
        save_network(folder, network, about)
        artifacts.write_csv(folder / artifacts.HISTORY, history)


if __name__ == "__main__":
    run_stage(main)
