"""Measure the model that a step ends with, and judge it by the criterion."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from stages import artifacts
from stages.device import device_for
from stages.measuring.against_baseline import doubt_on_validation, ruin_by_removal
from stages.measuring.cost import saved_bytes
from stages.measuring.criterion import judge
from stages.measuring.digest import model_digest
from stages.measuring.macs import macs_of
from stages.measuring.parameters import count_parameters
from stages.networks.saved import load_network
from stages.pruning_step import Step, starts_failed, step_from_arguments
from stages.running import run_stage
from stages.runtime_times import runtimes_of, time_in_runtimes
from stages.settings import DENSE
from stages.tasks.quality import measures_of
from stages.tasks.task import Task, task_of
from stages.testing.baseline import baseline_of


def main() -> None:
    """Write the step's record and its verdict."""
    settings, step = step_from_arguments()
    task, device = task_of(settings), device_for(settings.training)
    network, about = load_network(artifacts.model_path(step.name), settings.trusted)
    dense, _ = load_network(artifacts.DENSE_MODEL, settings.trusted)
    network, dense = network.to(device), dense.to(device)
    quality, passed_on = task.validate(network), starts_failed(step)
    dense_quality, baseline = task.validate(dense), baseline_of(settings).validate()
    criterion = settings.of(settings.criterion)
    keeps, reason = judge(criterion, task.quality, quality, dense_quality, baseline)
    if passed_on:
        keeps, reason = False, f"passed on from {step.start}, which failed the criterion"
    warning = doubt_on_validation(measures_of(settings), dense_quality, baseline)
    record = {
        "schema": 1,
        "warning": warning,
        "device": device.type,
        "iterations": about.iterations,
        "quality": quality,
        "dense_quality": dense_quality,
        "baseline_quality": baseline,
        "keeps_criterion": keeps,
        "reason": reason,
        "passed_on": passed_on,
        "removed": dict(about.removed),
        **_costs(task, step, network, dense),
        **_learned(step),
    }
    artifacts.write_json(artifacts.step_metrics(step.name), record)
    artifacts.write_json(artifacts.verdict_path(step.name), {"keeps_criterion": keeps})
    if warning:
        print(f"warning: {warning}")
    if record["macs_note"]:
        print(f"{step.name}: {record['macs_note']}")
    if ruin := ruin_by_removal(measures_of(settings), record["removal"], baseline):
        print(f"warning: {step.name}: {ruin}")
    print(f"{step.name} {'keeps' if keeps else 'fails'} the criterion: {reason}")


def _costs(task: Task, step: Step, network: nn.Module, dense: nn.Module) -> dict[str, Any]:
    """What the step's model needs; its times take turns with the dense model's."""
    shapes, folder = task.cost_shapes, artifacts.model_path(step.name)
    macs, dense_macs = (macs_of(net, shapes.macs) for net in (network, dense))
    parameters, initial = count_parameters(network), count_parameters(dense)
    files = {DENSE: artifacts.export_path(DENSE), step.name: artifacts.export_path(step.name)}
    runtimes = runtimes_of({DENSE: dense, step.name: network}, files)
    times = time_in_runtimes(runtimes, {DENSE: dense_macs.count, step.name: macs.count}, shapes)
    return {
        "parameters": parameters,
        "initial_parameters": initial,
        "share_left": parameters / initial,
        "macs": macs.count,
        "macs_note": macs.note,
        **_in_pytorch(times["by_runtime"]["torch"]),
        "runtimes": times,
        "bytes": saved_bytes(folder),
        "model": model_digest(folder),
    }


def _in_pytorch(row: Mapping[str, float]) -> dict[str, float]:
    """The times that tables of steps show."""
    return {name: value for name, value in row.items() if not name.endswith(("_gain", "_ratio"))}


def _learned(step: Step) -> dict[str, Any]:
    """What the earlier stages of the step recorded: histories, quality around removal."""
    removal = artifacts.after_removal_path(step.name) / artifacts.REMOVAL
    folders = {
        "sparsify": artifacts.sparsified_path(step.name),
        "recover": artifacts.model_path(step.name),
    }
    histories = {
        phase: artifacts.read_csv(folder / artifacts.HISTORY)
        for phase, folder in folders.items()
        if (folder / artifacts.HISTORY).is_file()
    }
    return {
        "removal": artifacts.read_json(removal) if removal.is_file() else None,
        "histories": histories,
    }


if __name__ == "__main__":
    run_stage(main)
