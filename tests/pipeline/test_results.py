"""What the pipeline leaves behind."""

import csv
import json

import pytest

from tests.pipeline.project import Project

pytestmark = pytest.mark.slow


def read(project: Project, path: str) -> dict:
    return json.loads((project.folder / path).read_text())


def test_parameters_fall_to_each_target(project: Project) -> None:
    dense = read(project, "models/graph.json")["network"]["parameters"]
    left = []
    for name in ("step1", "step2"):
        target = read(project, f"models/schedule/prune/{name}.json")["target"]
        parameters = read(project, f"metrics/steps/{name}.json")["parameters"]
        assert parameters <= (1 - target) * dense
        left.append(parameters)
    assert dense > left[0] > left[1]


def test_summary_reports_models_and_baseline(project: Project) -> None:
    summary = read(project, "metrics/summary.json")
    assert summary["selected"] == "step2"
    for model in ("bicubic", "dense", "pruned"):
        assert {"psnr_db", "ssim"} <= summary[model].keys()
    assert {"parameters", "macs", "latency_ms", "bytes"} <= summary["pruned"].keys()
    assert summary["pruned"]["parameters"] < summary["dense"]["parameters"]
    assert "longer" not in summary, "controls are off by default"
    assert {"bd_rate_dense", "bd_rate_pruned", "bd_rate_cost"} <= summary.keys()


def test_quality_around_removal_is_recorded(project: Project) -> None:
    with (project.folder / "metrics/steps.csv").open() as file:
        for row in csv.DictReader(file):
            assert float(row["quality_before_removal"]) > 0
            assert float(row["quality_after_removal"]) > 0


def test_report_is_self_contained_and_figures_exist(project: Project) -> None:
    page = (project.folder / "metrics/report.html").read_text()
    assert 'src="http' not in page
    assert "href=" not in page
    figures = {path.name for path in (project.folder / "metrics/figures").iterdir()}
    assert figures == {
        "quality.png", "channels.png", "training.png", "crops.png", "dependencies.png",
        "rate_hevc.png", "bd_rate.png", "coded_crops.png",
    }  # fmt: skip
    shown = project.call("dvc", "plots", "show")
    assert shown.code == 0, shown.text


def test_failed_criterion_is_passed_on_and_dense_selected(project: Project) -> None:
    project.edit(criterion__upsampling={"rule": "share", "limit": 2.0})
    text = project.repro().text
    assert "step2: step1 failed the criterion; its model is passed on untouched" in text
    first, second = (read(project, f"metrics/steps/{name}.json") for name in ("step1", "step2"))
    assert second["passed_on"]
    assert second["parameters"] == first["parameters"]
    assert second["model"] == first["model"]
    summary = read(project, "metrics/summary.json")
    assert summary["selected"] == "dense"
    selection = read(project, "metrics/selection.json")
    assert "no step keeps the criterion" in selection["reason"]
    assert "did not hold" in (project.folder / "metrics/report.html").read_text()


def test_controls_train_as_long_in_all(project: Project) -> None:
    project.edit(controls__train=True)
    project.repro()
    summary = read(project, "metrics/summary.json")
    total = summary["pruned"]["iterations"]
    for control, like in (("longer", "dense"), ("scratch", "pruned")):
        assert summary[control]["parameters"] == summary[like]["parameters"]
        assert summary[control]["iterations"] == total


def test_two_runs_give_equal_weights(project: Project) -> None:
    before = (project.folder / "models/dense/weights.safetensors").read_bytes()
    ran = project.call("python", "-m", "stages.finetune")
    assert ran.code == 0, ran.text
    assert (project.folder / "models/dense/weights.safetensors").read_bytes() == before


def test_queued_experiment_keeps_its_run(project: Project) -> None:
    queued = project.call("dvc", "exp", "run", "--queue", "-S", "pruning.target=0.4")
    assert queued.code == 0, queued.text
    ran = project.call("dvc", "exp", "run", "--run-all")
    assert ran.code == 0, ran.text
    count = (
        "from mlflow import MlflowClient\n"
        "client = MlflowClient('sqlite:///mlflow.db')\n"
        "experiment = client.get_experiment_by_name('pruneline')\n"
        "wanted = \"params.`pruning.target` = '0.4'\"\n"
        "runs = client.search_runs([experiment.experiment_id], wanted)\n"
        "print('runs', len(runs))\n"
        "print('model', [a.path for a in client.list_artifacts(runs[0].info.run_id, 'model')])\n"
    )
    told = project.call("python", "-c", count).text
    assert "runs 1" in told
    assert "weights.safetensors" in told
