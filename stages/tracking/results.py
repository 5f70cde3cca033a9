"""MLflow: one run per distinct result. Only this room imports mlflow."""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.tracking.onnx_model import OnnxModel, log_onnx_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

RESULT_TAG = "pruneline.result"
QUEUE = (".dvc", "tmp", "exps")  # where DVC puts the temporary copies of queued experiments

History = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Child:
    """What a step's run holds."""

    name: str
    metrics: Mapping[str, float]
    histories: Mapping[str, History]


@dataclass(frozen=True)
class Result:
    """What a run holds: a digest that tells results apart, and all that is worth keeping."""

    digest: str
    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    histories: Mapping[str, History]
    children: Sequence[Child]
    folders: Mapping[str, Path]
    files: Sequence[Path] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    model: OnnxModel | None = None


def project_root(start: Path) -> Path:
    """The project's own folder, also from inside a queued experiment, whose copy is deleted."""
    parts = start.resolve().parts
    for i in range(len(parts) - len(QUEUE)):
        if parts[i : i + len(QUEUE)] == QUEUE:
            return Path(*parts[:i])
    return start.resolve()


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and leaves."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def digest_of(content: Mapping[str, Any]) -> str:
    """Digest of plain content, equal for equal content."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def log_result(result: Result, experiment: str) -> str:
    """Log a result and return its run's id; one that was logged before is found, not repeated.

    `MLFLOW_TRACKING_URI` says where; without it, SQLite in the project's folder.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    from mlflow import MlflowClient

    root = project_root(Path(os.environ.get("DVC_ROOT", ".")))
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    client, experiment_id = _open(MlflowClient, uri, root, experiment)
    found = client.search_runs(
        [experiment_id],
        f"tags.`{RESULT_TAG}` = '{result.digest}' and attributes.status = 'FINISHED'",
    )
    if found:
        return str(found[0].info.run_id)
    return _log(client, experiment_id, result)


def _open(
    make_client: "type[MlflowClient]", uri: str | None, root: Path, name: str
) -> tuple["MlflowClient", str]:
    """Connect and find or create the experiment; a lock keeps parallel first runs apart."""
    from filelock import FileLock

    (root / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".dvc/tmp/mlflow.lock"):
        client = make_client(uri or f"sqlite:///{root / 'mlflow.db'}")
        existing = client.get_experiment_by_name(name)
        if existing is not None:
            return client, existing.experiment_id
        location = None if uri else (root / "mlruns" / name).as_uri()
        return client, client.create_experiment(name, artifact_location=location)


def _log(client: "MlflowClient", experiment_id: str, result: Result) -> str:
    tags = dict(result.tags) | {RESULT_TAG: result.digest}
    with _run(client, experiment_id, result.name, tags) as run_id:
        _log_numbers(client, run_id, result.metrics, result.histories, result.params)
        for place, folder in result.folders.items():
            client.log_artifacts(run_id, str(folder), place)
        for file in result.files:
            client.log_artifact(run_id, str(file))
        if result.model:
            log_onnx_model(run_id, client.tracking_uri, result.model)
        for child in result.children:
            parent = {"mlflow.parentRunId": run_id}
            with _run(client, experiment_id, child.name, parent) as child_id:
                _log_numbers(client, child_id, child.metrics, child.histories, {})
    return run_id


@contextmanager
def _run(
    client: "MlflowClient", experiment_id: str, name: str, tags: dict[str, str]
) -> Iterator[str]:
    """Yield a new run's id; the run ends as finished, or as failed where something raises."""
    run_id = str(client.create_run(experiment_id, run_name=name, tags=tags).info.run_id)
    try:
        yield run_id
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id)


def _log_numbers(
    client: "MlflowClient",
    run_id: str,
    metrics: Mapping[str, float],
    histories: Mapping[str, History],
    params: Mapping[str, Any],
) -> None:
    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    points = [Metric(name, float(value), now, 0) for name, value in metrics.items()]
    for phase, rows in histories.items():
        points += [
            Metric(f"{phase}.{column}", float(value), now, int(row["iteration"]))
            for row in rows
            for column, value in row.items()
            if column not in ("epoch", "iteration") and value
        ]
    for start in range(0, max(len(points), 1), 900):
        client.log_batch(run_id, metrics=points[start : start + 900])
    entries = [Param(name, str(value)) for name, value in params.items()]
    for start in range(0, len(entries), 90):
        client.log_batch(run_id, params=entries[start : start + 90])
