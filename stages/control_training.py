"""Training a control for as many iterations as the selected model had in all."""

from dataclasses import replace

from torch import nn

from stages import artifacts
from stages.channels.removal import remove_channels
from stages.dependency.graph_file import graph_from_json, removed_from_text
from stages.networks.saved import About, load_network, save_network
from stages.settings import Phase, Settings
from stages.tasks.task import task_of
from stages.training.loop import Plan, Row, seed_everything, train


def train_control(control: str, settings: Settings) -> None:
    """Train the dense network on, or the selected architecture from scratch, and write it."""
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
    begin_afresh(network)


def begin_afresh(network: nn.Module) -> None:
    """Give every layer fresh weights, in place."""
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()


def _save(control: str, network: nn.Module, about: About, history: list[Row]) -> None:
    with artifacts.fresh_folder(artifacts.control_path(control)) as folder:
        save_network(folder, network, about)
        artifacts.write_csv(folder / artifacts.HISTORY, history)
