"""Log the result to MLflow. Tracking never fails a run: what went wrong is written down instead."""

import os
import subprocess
from collections.abc import Mapping
from typing import Any

from stages import artifacts
from stages.running import run_stage
from stages.settings import TASK_NAMES, Bound, ByTask, Settings, load_settings
from stages.tracking.deadline import TrackingError, log_within
from stages.tracking.onnx_model import OnnxModel
from stages.tracking.results import Child, Result, digest_of, flatten

COMMIT = "mlflow.source.git.commit"  # MLflow's own tag


def main() -> None:
    """Write the run's id, or why there is none."""
    settings = load_settings()
    if not settings.tracking.enabled:
        _write(None, "tracking.enabled is false")
        return
    try:
        run_id = log_within(_result(settings), settings.tracking.experiment)
    except TrackingError as error:
        reason = " ".join(str(error).split())[:300]
        _write(None, f"{reason}; `dvc repro -f -s track` tries again")
    else:
        _write(run_id, f"logged to experiment {settings.tracking.experiment}")


def _write(run_id: str | None, reason: str) -> None:
    artifacts.write_json(artifacts.TRACKED_RUN, {"run_id": run_id, "reason": reason})
    print(f"MLflow run: {run_id or 'none'} ({reason})")


def _result(settings: Settings) -> Result:
    steps = settings.pruning.steps
    records = {step: artifacts.read_json(artifacts.step_metrics(step)) for step in steps}
    summary = artifacts.read_json(artifacts.SUMMARY)
    params = dict(flatten(settings_in_use(settings)))
    decision = artifacts.read_json(artifacts.TRADEOFF)
    results = {
        "params": params,
        "models": {step: record["model"] for step, record in records.items()},
        "selected": summary["selected"],
        "tradeoff": decision,
    }
    folders = {"figures": artifacts.FIGURES, "model": artifacts.SELECTED_MODEL}
    if decision["decided"]:
        folders["sparse"] = artifacts.SPARSE_MODEL
    if not artifacts.why_nothing(artifacts.CODEC):
        folders["codec"] = artifacts.CODEC
    return Result(
        digest=digest_of(results),
        name=run_name(settings),
        params=params,
        metrics=_numbers(summary),
        histories={"finetune": artifacts.read_csv(artifacts.DENSE_MODEL / artifacts.HISTORY)},
        children=[
            Child(step, _numbers(record), record["histories"]) for step, record in records.items()
        ],
        folders=folders,
        files=[
            artifacts.SUMMARY,
            artifacts.STEPS_TABLE,
            artifacts.TRADEOFF,
            artifacts.LAYERS_TABLE,
            artifacts.REPORT,
        ],
        model=_model(settings),
        tags={**artifacts.read_json(artifacts.SELECTION), **origin()},
    )


def _model(settings: Settings) -> OnnxModel | None:
    """The selected model as ONNX, if it could be exported."""
    folder = artifacts.EXPORTED / "pruned"
    facts = artifacts.read_json(folder / artifacts.EXPORTED_RECORD)
    kept = facts["kept"].get("onnx")
    if kept is None:
        return None
    return OnnxModel(
        (folder / artifacts.EXPORTED_STEM).with_suffix(".onnx"),
        tuple(kept["shape"]),
        tuple(kept["dynamic_axes"]),
        {name: value for name, value in facts.items() if name not in ("kept", "refused", "schema")},
        f"{settings.tracking.experiment}-{settings.task}",
    )


def run_name(settings: Settings) -> str:
    """What tells runs apart in a list: the task, and how its channels were pruned."""
    chosen, target, scope = settings.chosen, target_text(settings), settings.pruning.scope
    how = f"{chosen.importance} {scope} {chosen.regime} {chosen.repair}"
    return f"{settings.task} {settings.procedure} {target} {how}"


def target_text(settings: Settings) -> str:
    """What is to be gone in the end, of what, or how much of it may be left."""
    pruning = settings.pruning
    if pruning.schedule == "explicit":
        return f"{max(pruning.shares.values()):g} of {pruning.goal}"
    if isinstance(pruning.target, Bound):
        unit = "ms" if pruning.goal == "time" else pruning.goal
        return f"to {pruning.target.most:g} {unit}"
    return f"{pruning.target:g} of {pruning.goal}"


def origin() -> dict[str, str]:
    """The commit that the run's code is of, and the name of DVC's experiment, where there are."""
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    found = {COMMIT: asked.stdout.strip(), "dvc.experiment": os.environ.get("DVC_EXP_NAME", "")}
    return {tag: value for tag, value in found.items() if value}


def settings_in_use(settings: Settings) -> dict[str, Any]:
    """The settings without other tasks' parts, and without how they are tracked."""
    tree = settings.model_dump(mode="json", exclude={"tracking"})
    for name in type(settings).model_fields:
        if isinstance(getattr(settings, name), ByTask):
            tree[name] |= tree[name].pop(settings.task)
            for other in TASK_NAMES:
                tree[name].pop(other, None)
    return tree


def _numbers(tree: Mapping[str, Any]) -> dict[str, float]:
    leaves = flatten({k: v for k, v in tree.items() if k != "histories"})
    return {name: float(value) for name, value in leaves if isinstance(value, bool | int | float)}


if __name__ == "__main__":
    run_stage(main)
