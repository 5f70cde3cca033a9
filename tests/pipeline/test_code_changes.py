"""Editing code reruns exactly what the edit touches, as editing a value does."""

import json
import shutil

import pytest

from tests.pipeline.project import Project
from tests.pipeline.stages_of import ALL, END, QPS, assert_reran, everything_but, of_steps

pytestmark = pytest.mark.slow

ENCODED = {f"encode@{qp}" for qp in QPS}
CHANGES = {
    "the ranking": (
        "stages/channels/importance.py", "values / mean", "-values / mean",
        {"sensitivity"} | of_steps(*ALL) | END,
    ),
    "a growth schedule": (
        "stages/channels/growing.py", "(iteration + 1) / grow", "((iteration + 1) / grow) ** 2",
        of_steps(*ALL) | END,
    ),
    "an operator rule that finds the same graph": (
        "stages/dependency/rules/contraction.py", "import torch\n", "import torch  # as ever\n",
        {"graph"},
    ),
    "a loss": (
        "stages/tasks/upsampling/task.py", "EPSILON = 1e-3", "EPSILON = 1e-1",
        everything_but("prepare", "encode", "costs", "schedule"),
    ),
    "the bicubic baseline": (
        "stages/testing/upsampling/baseline.py", '"bicubic")', '"bilinear")',
        of_steps("evaluate") | {"select", "tradeoff", "summarise", "plot", "track"},
    ),
    "an argument of ffmpeg that changes no stream": (
        "stages/video/ffmpeg.py", '"-hide_banner", "-nostdin"', '"-nostdin", "-hide_banner"',
        {"prepare", "codec"} | ENCODED,
    ),
    "a figure": (
        "stages/figures/quality.py", "Quality by parameters left", "Quality by what is left",
        {"plot", "track"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_code_reruns_what_it_touches(project: Project, what: str) -> None:
    path, old, new, expected = CHANGES[what]
    with project.edited(path, old, new):
        assert_reran(project.repro(), expected)


def test_code_that_decides_nothing_here_reruns_nothing(project: Project) -> None:
    for path in (
        "stages/tasks/classification/task.py",
        "stages/sources/classification/radio.py",
        "stages/datasets/classification/reading.py",
        "stages/testing/classification/held_out.py",
        "stages/figures/classification.py",
        "stages/settings/weights.py",
        "stages/upsample.py",
    ):
        with project.edited(path, "\n", "\n# not a word of use\n"):
            assert_reran(project.repro(), set())


def test_a_batch_retrains_though_another_result_is_in_the_run_cache(project: Project) -> None:
    before = (project.folder / "models/dense/weights.safetensors").read_bytes()
    project.edit(batches__upsampling__batch=3)
    assert "finetune" in project.repro().stages
    assert (project.folder / "models/dense/weights.safetensors").read_bytes() != before


OWN = """from stages.networks.espcn import ESPCN


def narrow(width: int, scale: int) -> ESPCN:
    return ESPCN(width, scale)
"""


def test_own_code_and_initial_weights_are_watched(project: Project) -> None:
    own = project.folder / "models/own/mine.py"
    weights = project.folder / "models/initial/mine.safetensors"
    dense = project.folder / "models/dense/weights.safetensors"
    try:
        own.write_text(OWN)
        shutil.copy(dense, weights)
        project.edit(network__upsampling__factory="mine:narrow")
        project.edit(network__upsampling__weights="models/initial/mine.safetensors")
        ran = project.call("dvc", "repro", "finetune")
        assert ran.stages == ["graph", "costs", "schedule", "finetune"], ran.text
        assert "lies outside" not in ran.text
        assert "lie outside" not in ran.text

        not_built = ("prepare", "encode", "schedule", "select", "plot", "track")
        own.write_text(OWN + "# another\n")
        assert changed_by(project, "models/own") == everything_but(*not_built)
        shutil.copy(project.folder / "models/step1/weights.safetensors", weights)
        assert changed_by(project, "models/initial") == {"graph"}
        assert "do not fit the network" in project.call("dvc", "repro", "finetune").text
    finally:
        own.unlink()
        weights.unlink()


def changed_by(project: Project, path: str) -> set[str]:
    """Stages that `dvc repro` would run for the sake of a path."""
    told = json.loads(project.call("dvc", "status", "--json").text)
    return {
        stage
        for stage, changes in told.items()
        for change in changes
        if isinstance(change, dict) and path in change.get("changed deps", {})
    }
