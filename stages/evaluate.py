"""Measure the model that a step ends with, and judge it by the criterion."""

import hashlib
from pathlib import Path
from typing import Any

from stages import artifacts
from stages.chain import Step, starts_failed, step_from_arguments
from stages.errors import run_stage
from stages.measuring.cost import count_macs, count_parameters, median_latency_ms, saved_bytes
from stages.measuring.criterion import judge
from stages.networks.saved import WEIGHTS, load_network
from stages.tasks.choose import task_of
from stages.training.device import device_for


def main() -> None:
    """Write the step's record and its verdict."""
    settings, step = step_from_arguments()
    task = task_of(settings)
    folder = artifacts.model_path(step.name)
    network, about = load_network(folder)
    dense, _ = load_network(artifacts.DENSE_MODEL)
    device = device_for(settings.training)
    network, dense = network.to(device), dense.to(device)
    quality, dense_quality = task.validate(network), task.validate(dense)
    baseline = task.validate_baseline()
    keeps, reason = judge(
        settings.of(settings.criterion), task.quality, quality, dense_quality, baseline
    )
    if passed_on := starts_failed(step):
        keeps, reason = False, f"passed on from {step.start}, which failed the criterion"
    latency = median_latency_ms(
        {"dense": dense, "pruned": network}, task.frames.latency_shape, task.frames.latency_runs
    )
    parameters, initial = count_parameters(network), count_parameters(dense)
    record = {
        "schema": 1,
        "device": device.type,
        "quality": quality,
        "dense_quality": dense_quality,
        "baseline_quality": baseline,
        "keeps_criterion": keeps,
        "reason": reason,
        "passed_on": passed_on,
        "parameters": parameters,
        "initial_parameters": initial,
        "share_left": parameters / initial,
        "macs": count_macs(network, task.frames.macs_shape),
        "latency_ms": latency["pruned"],
        "dense_latency_ms": latency["dense"],
        "bytes": saved_bytes(folder),
        "iterations": about.iterations,
        "weights": _digest(folder / WEIGHTS),
        **_learned(step),
    }
    artifacts.write_json(artifacts.step_metrics(step.name), record)
    artifacts.write_json(artifacts.verdict_path(step.name), {"keeps_criterion": keeps})
    print(f"{step.name} {'keeps' if keeps else 'fails'} the criterion: {reason}")


def _learned(step: Step) -> dict[str, Any]:
    """What the earlier stages of the step recorded: histories, quality around removal."""
    removal = artifacts.unrecovered_path(step.name) / artifacts.REMOVAL
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


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    run_stage(main)
