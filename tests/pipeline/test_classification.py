"""The same pipeline with `task: classification`: weight pruning, and the way back."""

import csv
import json
from collections.abc import Iterator

import pytest

from tests.pipeline.project import Project
from tests.pipeline.stages_of import assert_reran, everything_but

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def classified(made_once: Project) -> Iterator[Project]:
    """The project in which up-sampling has run, and then classification."""
    made_once.edit(task="classification", exports__enabled=True)
    ran = made_once.repro()
    assert {"prepare", "finetune", "sweep@magnitude", "sweep@gradient", "quantise"} <= set(
        ran.stages
    )
    yield made_once
    made_once.restore()


def read(project: Project, path: str) -> dict:
    return json.loads((project.folder / path).read_text())


def rows(project: Project, path: str) -> list[dict[str, str]]:
    with (project.folder / path).open() as file:
        return list(csv.DictReader(file))


def test_every_model_is_reported_on_the_test_part(classified: Project) -> None:
    summary = read(classified, "metrics/summary.json")
    for model in ("majority", "dense", "pruned", "sparse", "sparse_8bit"):
        assert 0 <= summary[model]["accuracy"] <= 1
    assert summary["majority"]["accuracy"] == pytest.approx(1 / 8)
    assert summary["sparse"]["parameters"] == summary["dense"]["parameters"]
    assert summary["sparse"]["zip_bytes"] < summary["dense"]["zip_bytes"]
    assert summary["pruned"]["parameters"] < summary["dense"]["parameters"]
    assert 0 <= summary["pruned_8bit"]["accuracy"] <= 1


def test_models_are_exported_and_timed_in_runtimes(classified: Project) -> None:
    summary, step = (
        read(classified, f"metrics/{name}.json") for name in ("summary", "steps/step2")
    )
    assert {"torch", "onnx", "onnx_8bit"} <= summary["runtimes"]["by_runtime"].keys()
    assert {"torch", "onnx"} <= step["runtimes"]["by_runtime"].keys()
    assert summary["not_exported"] == {}
    for name in ("dense", "pruned"):
        folder = classified.folder / "models/exported" / name
        record = json.loads((folder / "exported.json").read_text())
        assert len(record["classes"]) == 8
        assert {"onnx", "pt2"} <= record["kept"].keys()
        assert (folder / "network.onnx").is_file()


def test_sweeps_start_dense_and_lose_weights(classified: Project) -> None:
    for score in ("magnitude", "synflow", "random"):
        table = rows(classified, f"metrics/sweep/{score}.csv")
        left = [int(row["weights_left"]) for row in table]
        assert len(table) == 8
        assert left == sorted(left, reverse=True)
        empty = [int(row["empty_layers"]) for row in table]
        assert empty == sorted(empty)
        assert empty[0] == 0
    assert rows(classified, "metrics/sweep/gradient.csv") == [], "it was not asked for"


def test_the_decision_is_written_with_its_reason(classified: Project) -> None:
    decision = read(classified, "metrics/tradeoff.json")
    assert decision["score"] in ("magnitude", "synflow")
    assert decision["sparsity"] == 0.999, "a criterion that all keep"
    assert "random" in decision["refused"]
    layers = rows(classified, "metrics/layers.csv")
    assert sum(int(row["zeros"]) for row in layers) == decision["zeros"]
    assert decision["zeros"] == round(0.999 * decision["weights"])


def test_the_report_tells_all(classified: Project) -> None:
    page = (classified.folder / "metrics/report.html").read_text()
    for words in ("Single weights:", "do not make dense kernels faster", "by SNR"):
        assert words in page
    figures = {path.stem for path in (classified.folder / "metrics/figures").iterdir()}
    assert figures == {
        "quality", "channels", "training", "dependencies", "sweep", "sweep_zoom", "layers",
        "confusions", "examples", "snr",
    }  # fmt: skip


def test_a_criterion_decides_anew_without_sweeping(classified: Project) -> None:
    classified.edit(criterion__classification={"rule": "drop", "limit": 0.9})
    ran = classified.repro()
    assert "tradeoff" in ran.stages
    assert not any(name.startswith(("sweep", "finetune")) for name in ran.stages)
    classified.edit(criterion__classification={"rule": "drop", "limit": 1.0})
    assert classified.repro().stages == []


def test_either_task_comes_back_from_the_run_cache(classified: Project) -> None:
    classified.edit(task="upsampling", exports__enabled=False)
    back = classified.repro()
    assert back.stages == []
    assert {"prepare", "finetune", "prune@step1"} <= set(back.cached)
    assert "bicubic" in read(classified, "metrics/summary.json")
    classified.edit(task="classification", exports__enabled=True)
    again = classified.repro()
    assert again.stages == []
    assert "majority" in read(classified, "metrics/summary.json")


def test_the_standardisation_of_samples_reruns_all_that_reads_them(classified: Project) -> None:
    path = "stages/datasets/classification/reading.py"
    with classified.edited(path, "x - self.mean", "x - 2 * self.mean"):
        expected = everything_but("prepare", "encode", "costs", "schedule")
        assert_reran(classified.repro(), expected)
    assert classified.repro().stages == [], "the run cache must bring everything back"


def test_the_other_task_reruns_nothing(classified: Project) -> None:
    for path in ("tasks/upsampling/task.py", "sources/upsampling/folder.py"):
        with classified.edited(f"stages/{path}", "\n", "\n# not a word of use\n"):
            assert_reran(classified.repro(), set())
