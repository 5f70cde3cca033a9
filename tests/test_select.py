"""Selecting: the smallest model that keeps the criterion, and only one that was evaluated."""

from pathlib import Path
from typing import Any

from stages import artifacts, select
from stages.measuring.digest import model_digest
from stages.select import smallest_that_keeps


def record(keeps: bool, parameters: int) -> dict[str, Any]:
    return {"keeps_criterion": keeps, "parameters": parameters, "reason": f"of {parameters}"}


def test_the_smallest_of_those_that_keep_it() -> None:
    records = {"a": record(True, 30), "b": record(True, 20), "c": record(False, 10)}
    assert smallest_that_keeps(records)[0] == "b"


def test_the_dense_one_where_none_does() -> None:
    name, reason = smallest_that_keeps({"a": record(False, 30)})
    assert name == "dense"
    assert "of 30" in reason


def test_a_model_that_was_not_evaluated_is_refused(workspace: Path, refused: Any) -> None:
    folder = artifacts.model_path("step1")
    folder.mkdir(parents=True)
    for name in (artifacts.NETWORK, artifacts.WEIGHTS):
        (folder / name).write_text("as evaluated")
    evaluated = record(True, 30) | {"model": model_digest(folder)}
    for step in ("step1", "step2"):
        artifacts.write_json(artifacts.step_metrics(step), record(False, 20) | evaluated)
    (folder / artifacts.NETWORK).write_text("another")
    with refused("models/step1", "not the model that was evaluated", "dvc repro"):
        select.main()
    assert not artifacts.SELECTED_MODEL.exists()
