"""Report the selected model, the dense one, controls and the baseline on the test part.

The test part is read here and nowhere else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from stages import artifacts
from stages.errors import run_stage
from stages.measuring.cost import count_macs, count_parameters, median_latency_ms, saved_bytes
from stages.networks.saved import load_network
from stages.settings import CONTROLS, load_settings
from stages.tasks.choose import task_of
from stages.tasks.task import Task
from stages.training.device import device_for


def main() -> None:
    """Write the summary, the table of test items, and examples for the report."""
    settings = load_settings()
    task, device = task_of(settings), device_for(settings.training)
    folders = _model_folders()
    loaded = {name: load_network(folder) for name, folder in folders.items()}
    networks = {name: network.to(device) for name, (network, _) in loaded.items()}
    rows = task.test(networks)
    models: dict[str, dict[str, Any]] = {task.baseline_name: _means(rows, task.baseline_name)}
    for name, costs in _costs(task, networks, folders).items():
        models[name] = {**_means(rows, name), **costs, "iterations": loaded[name][1].iterations}
    artifacts.write_csv(artifacts.TEST_TABLE, rows)
    with artifacts.fresh_folder(artifacts.CROPS) as folder:
        task.show({name: networks[name] for name in ("dense", "pruned")}, folder)
    summary = _summary(task, models) | {"device": device.type}
    artifacts.write_json(artifacts.SUMMARY, rounded(summary))
    name = task.quality.name
    print(f"test: {name} dense {models['dense'][name]:.3f}, pruned {models['pruned'][name]:.3f}")


def _model_folders() -> dict[str, Path]:
    """Folders of the dense and the selected model, and of the controls that were trained."""
    folders = {"dense": artifacts.DENSE_MODEL, "pruned": artifacts.SELECTED_MODEL}
    for control in CONTROLS:
        folder = artifacts.control_path(control)
        if artifacts.read_json(folder / artifacts.CONTROL)["trained"]:
            folders[control] = folder
    return folders


def _summary(task: Task, models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What was selected and why, what it removed, lost and gained, and every model's figures."""
    selection = artifacts.read_json(artifacts.SELECTED_MODEL / artifacts.SELECTION)
    name, quality = task.quality.name, task.quality
    dense, pruned, baseline = (models[key] for key in ("dense", "pruned", task.baseline_name))
    return {
        "selected": selection["selected"],
        "reason": selection["reason"],
        "share_removed": 1 - pruned["parameters"] / dense["parameters"],
        f"lost_{name}": quality.loss(dense[name], pruned[name]),
        f"gained_{name}": quality.loss(pruned[name], baseline[name]),
        **models,
    }


def _means(rows: list[dict[str, float | str]], model: str) -> dict[str, Any]:
    """Mean of every metric over a model's test items."""
    of_model = [row for row in rows if row["model"] == model]
    metrics = [key for key in of_model[0] if key not in ("model", "item")]
    return {m: sum(float(row[m]) for row in of_model) / len(of_model) for m in metrics}


def _costs(
    task: Task, networks: Mapping[str, nn.Module], folders: Mapping[str, Path]
) -> dict[str, dict[str, Any]]:
    frames = task.frames
    latency = median_latency_ms(networks, frames.latency_shape, frames.latency_runs)
    return {
        name: {
            "parameters": count_parameters(network),
            "macs": count_macs(network, frames.macs_shape),
            "latency_ms": latency[name],
            "bytes": saved_bytes(folders[name]),
        }
        for name, network in networks.items()
    }


def rounded(tree: Any) -> Any:
    """Keep 6 significant digits of every fraction."""
    if isinstance(tree, Mapping):
        return {key: rounded(value) for key, value in tree.items()}
    return float(f"{tree:.6g}") if isinstance(tree, float) else tree


if __name__ == "__main__":
    run_stage(main)
