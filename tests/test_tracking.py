"""MLflow: one run per distinct result, and a run of the pipeline that never fails by it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages import artifacts, track
from stages.settings import load_settings
from stages.tracking.results import (
    digest_of,
    flatten,
    project_root,
)

ROOT = Path(__file__).parents[1]


def history(epochs: int) -> list[dict[str, str]]:
    first = {"epoch": "0", "iteration": "0", "loss": "", "psnr_db": "20.0"}
    later = [
        {"epoch": str(n), "iteration": str(5 * n), "loss": f"{1 / n:.6g}", "psnr_db": f"{20 + n}"}
        for n in range(1, epochs)
    ]
    return [first, *later]


def make_results(folder: Path, tree: dict[str, Any], model: str = "a") -> None:
    """All that the stage `track` reads, made up."""
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(tree, file)
    for number, step in enumerate(tree["pruning"]["steps"]):
        record = {"model": model + step, "quality": 30.0 - number, "keeps_criterion": True,
                  "removal": None, "reason": "text", "parameters": 100 - number,
                  "histories": {"recover": history(3)}}  # fmt: skip
        artifacts.write_json(folder / artifacts.step_metrics(step), record)
    summary = {"selected": "step1", "reason": "good", "dense": {"psnr_db": 31.5, "macs": 7}}
    artifacts.write_json(folder / artifacts.SUMMARY, summary)
    artifacts.write_json(folder / artifacts.SELECTION, {"selected": "step1", "reason": "good"})
    artifacts.write_csv(folder / artifacts.STEPS_TABLE, [{"step": "step1"}])
    artifacts.write_csv(folder / artifacts.LAYERS_TABLE, [], ["layer"])
    artifacts.write_json(folder / artifacts.TRADEOFF, {"decided": False, "reason": "not asked"})
    artifacts.write_csv(folder / artifacts.DENSE_MODEL / artifacts.HISTORY, history(600))
    for name in (artifacts.FIGURES / "quality.png", artifacts.SELECTED_MODEL / "network.json"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("content")
    (folder / artifacts.REPORT).write_text("<html></html>")
    artifacts.write_no_export(folder / artifacts.EXPORTED / "pruned", "not asked")


def written(folder: Path = Path()) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / artifacts.TRACKED_RUN).read_text())
    return content


@pytest.mark.parametrize(
    ("start", "root"),
    [
        ("/home/me/project", "/home/me/project"),
        ("/home/me/project/.dvc/tmp/exps/tmpabc", "/home/me/project"),
        ("/home/me/project/.dvc/tmp/exps/standalone/tmpabc", "/home/me/project"),
        ("/home/me/.dvc/tmp/other/exps", "/home/me/.dvc/tmp/other/exps"),
        ("/home/me/exps/project", "/home/me/exps/project"),
    ],
)
def test_the_root_is_the_project_and_not_a_temporary_copy(start: str, root: str) -> None:
    assert project_root(Path(start)) == Path(root)


def test_the_root_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert project_root(Path()) == tmp_path.resolve()


def test_equal_content_has_an_equal_digest() -> None:
    content: dict[str, Any] = {"a": 1, "b": {"c": [0.5, None], "d": Path("x")}}
    same = {"b": {"d": Path("x"), "c": [0.5, None]}, "a": 1}
    assert digest_of(content) == digest_of(same)
    others: list[dict[str, Any]] = [{"a": 1}, {**content, "a": 2}, {**content, "a": "1"}, {}]
    assert len({digest_of(other) for other in [content, *others]}) == 5


def test_names_are_dotted_and_nothing_is_lost() -> None:
    tree = {"a": {"b": {"c": 1}, "d": [2]}, "e": {}, "f": None}
    assert dict(flatten(tree)) == {"a.b.c": 1, "a.d": [2], "e": {}, "f": None}


def test_params_are_those_of_the_task_in_use(workspace: Path, tree: dict[str, Any]) -> None:
    names = dict(flatten(track.settings_in_use(load_settings())))
    assert names["finetune.epochs"] == tree["finetune"]["upsampling"]["epochs"]
    assert names["data.scale"] == 2
    assert names["data.folder"] == tree["data"]["folder"]
    assert names["pruning.steps.step2"] == "step1"
    assert not [name for name in names if "upsampling." in name or name.startswith("tracking")]


def test_without_tracking_nothing_is_logged(
    workspace: Path, tree: dict[str, Any], write_params: Any
) -> None:
    tree["tracking"]["enabled"] = False
    write_params(tree)
    track.main()
    assert written()["run_id"] is None
    assert "tracking.enabled" in written()["reason"]
    assert not (workspace / "mlflow.db").exists()


@dataclass(frozen=True)
class Logged:
    """A project whose result was logged twice, failed once to log another, then logged that."""

    folder: Path
    ids: list[str | None]
    client: Any
    runs: list[Any]

    def run(self, run_id: str | None) -> Any:
        return next(run for run in self.runs if run.info.run_id == run_id)

    def children(self, run_id: str | None) -> list[Any]:
        tag = "mlflow.parentRunId"
        return [run for run in self.runs if run.data.tags.get(tag) == run_id]


@pytest.fixture(scope="module")
def logged(
    tmp_path_factory: pytest.TempPathFactory, repository_tree: dict[str, Any]
) -> Iterator[Logged]:
    folder = tmp_path_factory.mktemp("tracked")
    make_results(folder, repository_tree)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
            patch.delenv(name, raising=False)
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        ids = [tracked(), tracked()]
        summary = artifacts.read_json(artifacts.SUMMARY)
        artifacts.write_json(artifacts.SUMMARY, summary | {"selected": "dense"})
        with broken_record(list(repository_tree["pruning"]["steps"])[-1]):
            ids.append(tracked())
        ids.append(tracked())
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        name = repository_tree["tracking"]["experiment"]
        experiment = client.get_experiment_by_name(name).experiment_id
        yield Logged(folder, ids, client, list(client.search_runs([experiment])))


@contextmanager
def broken_record(step: str) -> Iterator[None]:
    """Within, logging fails at the last child run."""
    record = artifacts.read_json(artifacts.step_metrics(step))
    rows = [{"epoch": "0", "iteration": "0", "psnr_db": "no number"}]
    artifacts.write_json(artifacts.step_metrics(step), record | {"histories": {"recover": rows}})
    yield
    artifacts.write_json(artifacts.step_metrics(step), record)


def tracked() -> str | None:
    track.main()
    run_id: str | None = written()["run_id"]
    return run_id


@pytest.mark.slow
def test_a_result_is_logged_once(logged: Logged) -> None:
    first, again, failed, other = logged.ids
    assert first == again
    assert failed is None
    assert other not in (first, None)
    parents = [run for run in logged.runs if "mlflow.parentRunId" not in run.data.tags]
    assert sorted(run.info.status for run in parents) == ["FAILED", "FINISHED", "FINISHED"]


@pytest.mark.slow
def test_no_run_is_left_running(logged: Logged) -> None:
    assert {run.info.status for run in logged.runs} == {"FAILED", "FINISHED"}


@pytest.mark.slow
def test_a_run_holds_the_result(logged: Logged, repository_tree: dict[str, Any]) -> None:
    run = logged.run(logged.ids[0])
    assert run.data.metrics["dense.psnr_db"] == 31.5
    assert run.data.params["pruning.target"] == str(repository_tree["pruning"]["target"])
    assert run.data.tags["selected"] == "step1"
    points = logged.client.get_metric_history(logged.ids[0], "finetune.psnr_db")
    assert [(p.step, p.value) for p in points] == [(5 * n, 20.0 + n) for n in range(600)]
    losses = logged.client.get_metric_history(logged.ids[0], "finetune.loss")
    assert [p.step for p in losses] == [5 * n for n in range(1, 600)]


@pytest.mark.slow
def test_a_run_holds_the_files(logged: Logged) -> None:
    def inside(place: str | None) -> set[str]:
        return {file.path for file in logged.client.list_artifacts(logged.ids[0], place)}

    assert {"summary.json", "steps.csv", "report.html", "figures", "model"} <= inside(None)
    assert inside("figures") == {"figures/quality.png"}
    assert inside("model") == {"model/network.json"}
    assert (logged.folder / "mlruns").is_dir()


@pytest.mark.slow
def test_each_step_has_a_child_run(logged: Logged, repository_tree: dict[str, Any]) -> None:
    steps = list(repository_tree["pruning"]["steps"])
    children = {run.info.run_name: run for run in logged.children(logged.ids[0])}
    assert sorted(children) == steps
    for number, step in enumerate(steps):
        metrics = children[step].data.metrics
        assert (metrics["quality"], metrics["parameters"]) == (30.0 - number, 100 - number)
        assert metrics["keeps_criterion"] == 1
        assert metrics["recover.psnr_db"] == 22


def test_names_tell_runs_apart(workspace: Path, tree: dict[str, Any], write_params: Any) -> None:
    names = set()
    for change in ({}, {"importance": "taylor"}, {"scope": "local"}, {"target": 0.4}):
        write_params(tree | {"pruning": tree["pruning"] | change})
        names.add(track.run_name(load_settings()))
    tree["sparsity"]["upsampling"]["regime"] = "selected"
    write_params(tree)
    names.add(track.run_name(load_settings()))
    assert len(names) == 5
    assert "upsampling repaired 0.5 of parameters obs global selected least_squares" in names


def test_tags_say_where_a_run_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    assert track.origin() == {}
    me = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], [*me, "commit", "-qm", "a", "--allow-empty"]):
        subprocess.run(["git", *words], check=True)
    monkeypatch.setenv("DVC_EXP_NAME", "wise-owl")
    tags = track.origin()
    assert tags["dvc.experiment"] == "wise-owl"
    assert re.fullmatch("[0-9a-f]{40}", tags["mlflow.source.git.commit"])
