"""Select the smallest model that keeps the criterion; the dense one if no step does."""

import shutil
from collections.abc import Mapping
from typing import Any

from stages import artifacts
from stages.dependency.graph_file import from_ranges, graph_from_json
from stages.errors import UserError
from stages.measuring.digest import model_digest
from stages.running import run_stage
from stages.settings import DENSE, load_settings


def main() -> None:
    """Write the selected model, its files for other runtimes, tables of steps and of channels."""
    settings = load_settings()
    steps = list(settings.pruning.steps)
    records = {step: artifacts.read_json(artifacts.step_metrics(step)) for step in steps}
    name, reason = smallest_that_keeps(records, settings.pruning.goal, settings.costs.runtime)
    source = artifacts.model_path(name)
    if name != DENSE and model_digest(source) != records[name]["model"]:
        raise UserError(f"{source} is not the model that was evaluated: run `dvc repro`")
    with artifacts.fresh_folder(artifacts.SELECTED_MODEL) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        (folder / artifacts.HISTORY).unlink(missing_ok=True)
    with artifacts.fresh_folder(artifacts.EXPORTED) as folder:
        for role, model in ((DENSE, DENSE), ("pruned", name)):
            shutil.copytree(artifacts.export_path(model), folder / role)
    artifacts.write_json(artifacts.SELECTION, {"selected": name, "reason": reason})
    artifacts.write_csv(artifacts.STEPS_TABLE, [_row(s, r) for s, r in records.items()])
    artifacts.write_csv(artifacts.CHANNELS_TABLE, _channels())
    print(f"selected {name}: {reason}")


def smallest_that_keeps(
    records: Mapping[str, Mapping[str, Any]], goal: str = "parameters", runtime: str = "torch"
) -> tuple[str, str]:
    """The model with the least of the goal that keeps the criterion, and why it was selected.

    Time is that in `runtime`; where a model could not be measured in it, that in PyTorch.
    """
    keeping = {name: r for name, r in records.items() if r["keeps_criterion"]}
    if not keeping:
        reasons = "; ".join(f"{name} {record['reason']}" for name, record in records.items())
        return DENSE, f"no step keeps the criterion ({reasons})"
    name = min(keeping, key=lambda n: _cost(keeping[n], goal, runtime))
    return name, f"the smallest that keeps the criterion: {keeping[name]['reason']}"


def _cost(record: Mapping[str, Any], goal: str, runtime: str) -> float:
    if goal != "time":
        return float(record[goal])
    rows = record["runtimes"]["by_runtime"]
    return float(rows.get(runtime, rows["torch"])["latency_ms"])


def _row(step: str, record: Mapping[str, Any]) -> dict[str, Any]:
    removal = record["removal"] or {}
    columns = (
        "quality", "dense_quality", "baseline_quality", "keeps_criterion", "passed_on",
        "parameters", "share_left", "macs", "latency_ms", "dense_latency_ms", "bytes",
    )  # fmt: skip
    return {
        "step": step,
        "target": removal.get("target", ""),
        "quality_before_removal": removal.get("quality_before", ""),
        "quality_after_removal": removal.get("quality_after", ""),
        "quality_after_repair": removal.get("quality_repaired", ""),
        **{column: record[column] for column in columns},
    }


def _channels() -> list[dict[str, Any]]:
    """How many channels each group had, and how many the selected model keeps."""
    graph = graph_from_json(artifacts.read_json(artifacts.GRAPH))
    removed = artifacts.read_json(artifacts.SELECTED_MODEL / artifacts.NETWORK)["removed"]
    return [
        {
            "layer": group.name,
            "channels": group.units,
            "kept": group.units - len(from_ranges(removed.get(group.name, ""))),
        }
        for group in graph.groups
    ]


if __name__ == "__main__":
    run_stage(main)
