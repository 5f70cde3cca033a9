"""Every path of the pipeline, and how files are written: whole or not at all.

No stage depends on this file: it decides where things lie, never what they say. Numbers are written
so that they are read back exactly; whoever wants fewer digits rounds first.
"""

import csv
import glob
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.errors import UserError
from stages.running import refuse_if_outrun

PREPARED = Path("data/prepared")
SEQUENCES = Path("data/sequences")
CODED = Path("data/coded")

START = Path("models/start")
DENSE_MODEL = Path("models/dense")
GRAPH = Path("models/graph.json")
PRICES = Path("models/prices.json")  # MACs and bytes of an element of each tensor
COSTS = Path("models/costs.json")  # time over widths, on the machine that it names
SENSITIVITY = Path("models/sensitivity.json")  # drop of quality by group, over units left
SCHEDULE = Path("models/schedule")
REACHABLE = SCHEDULE / "reachable.json"  # always alike: there once all targets can be reached
SELECTED_MODEL = Path("models/pruned")
SPARSE_MODEL = Path("models/sparse")
QUANTISED = Path("models/quantised")
EXPORTS = Path("models/exports")  # a folder each of the dense model and of every step's
EXPORTED = Path("models/exported")  # of them, those of the dense and of the selected model

STEP_METRICS = Path("metrics/steps")
SELECTION = Path("metrics/selection.json")
SWEEPS = Path("metrics/sweep")
TRADEOFF = Path("metrics/tradeoff.json")
LAYERS_TABLE = Path("metrics/layers.csv")
STEPS_TABLE = Path("metrics/steps.csv")
CHANNELS_TABLE = Path("metrics/channels.csv")
SUMMARY = Path("metrics/summary.json")
TEST_TABLE = Path("metrics/test.csv")
EXAMPLES = Path("metrics/examples")
CODEC = Path("metrics/codec")
FIGURES = Path("metrics/figures")
REPORT = Path("metrics/report.html")
TRACKED_RUN = Path("metrics/mlflow_run.json")

NETWORK = "network.json"  # inside the folder of a model: how it is built
WEIGHTS = "weights.safetensors"  # ... and its tensors
HISTORY = "history.csv"  # inside the folder of a model that was trained
REMOVAL = "removal.json"  # inside the folder of a model that lost channels
ORDER = "order.safetensors"  # inside a score's folder: the order in which it removes weights
EXPORTED_STEM = "network"  # inside the folder of an exported model: `network.onnx` and the like
EXPORTED_RECORD = "exported.json"  # ... and what was kept, how far off, and what a user must know
QUANTISED_RECORD = "quantised.json"  # inside the folder of quantised models: what is missing, why
DESCRIPTION = "prepared.json"  # inside the folder of prepared data: what they are
POINTS = "points.csv"  # inside the folder of codecs: rate and quality of every stream and filter
DELTAS = "deltas.csv"  # ... and what filters gain on bicubic
CROPS = "crops"
CLASS_EXAMPLES = "examples.npz"  # inside the folder of examples: one test sample per class
PARTIAL = ".partial"  # what is not finished ends so
NONE = "none.json"  # alone in a folder: why nothing was made


def model_path(name: str) -> Path:
    """Where the dense model, or the model that a step ends with, is."""
    return Path("models") / name


def sparsified_path(step: str) -> Path:
    """Where the model of a step is after sparsity learning."""
    return Path("models/sparsified") / step


def after_removal_path(step: str) -> Path:
    """Where the model of a step is after removal, before recovery."""
    return Path("models/after_removal") / step


def control_path(control: str) -> Path:
    """Where a control model is; its folder says so when it was not trained."""
    return Path("models/controls") / control


def export_path(name: str) -> Path:
    """Where the files of a model for other runtimes are, by the name of the model."""
    return EXPORTS / name


def quantised_path(name: str) -> Path:
    """Where a model in 8 bits is, if it could be made."""
    return QUANTISED / f"{name}.onnx"


def coded_path(qp: int) -> Path:
    """Where the streams of a QP are."""
    return CODED / f"qp{qp}"


def order_path(score: str) -> Path:
    """Where the order in which a score removes weights is; its folder says so if there is none."""
    return Path("models/orders") / score


def sweep_table(score: str) -> Path:
    """Quality over sparsity by a score; only a head where it was not swept."""
    return SWEEPS / f"{score}.csv"


def sparsify_schedule(step: str) -> Path:
    """What sparsity learning of a step may see."""
    return SCHEDULE / "sparsify" / f"{step}.json"


def prune_schedule(step: str) -> Path:
    """What removal of a step must reach."""
    return SCHEDULE / "prune" / f"{step}.json"


def recover_schedule(step: str) -> Path:
    """Whether a step trains after removal."""
    return SCHEDULE / "recover" / f"{step}.json"


def verdict_path(name: str) -> Path:
    """Whether a model keeps the criterion, and nothing else, so that later steps rerun only if
    that changes."""
    return Path("models/verdicts") / f"{name}.json"


def step_metrics(step: str) -> Path:
    """What was measured of the model that a step ends with."""
    return STEP_METRICS / f"{step}.json"


@contextmanager
def fresh_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; the file appears at `path` only if the block ends well."""
    with _partial(path) as partial:
        yield partial


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder; it takes the place of `path` only if the block ends well."""
    with _partial(path) as partial:
        partial.mkdir()
        yield partial


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """A path of this process alone, renamed to `path` if the block ends well.

    What another process has begun there is removed: it was killed, or is an older run of the same.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{PARTIAL}"):
        _remove(left)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    try:
        yield partial
        refuse_if_outrun(path)
        if partial.is_dir():
            _remove(path)
        os.replace(partial, path)
    except FileNotFoundError as error:
        if not str(error.filename).startswith(str(partial)):
            raise
        refuse_if_outrun(path)
        raise UserError(f"{path}: another process writes it too: run one at a time") from None
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def refuse_unwritable() -> None:
    """Refuse to begin where results cannot be written (`UserError`)."""
    for folder in (PREPARED.parent, DENSE_MODEL.parent, STEP_METRICS.parent):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UserError(f"{folder}/ cannot be written to ({error.strerror}): free it") from None


def write_nothing(folder: Path, reason: str) -> None:
    """Leave only a note of why there is nothing in a folder."""
    with fresh_folder(folder) as partial:
        write_json(partial / NONE, {"reason": reason})


def why_nothing(folder: Path) -> str | None:
    """Why a folder that a stage wrote holds nothing, or None where it holds something."""
    note = folder / NONE
    return str(read_json(note)["reason"]) if note.is_file() else None


def write_no_export(folder: Path, reason: str) -> None:
    """Leave the record of a model that is not there for any other runtime."""
    with fresh_folder(folder) as partial:
        record = {"digest": None, "kept": {}, "refused": {"onnx": reason}}
        write_json(partial / EXPORTED_RECORD, record)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys, so that equal content gives equal bytes."""
    with fresh_file(path) as partial:
        text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that an earlier stage wrote."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: `dvc repro` makes it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run `dvc repro`") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (no object): delete it and run `dvc repro`")
    return content


def write_csv(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> None:
    """Write rows; columns are the first row's unless given. Numbers are read back exactly."""
    with fresh_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns or rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read rows as text."""
    if not path.is_file():
        raise UserError(f"{path} is missing: `dvc repro` makes it")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
