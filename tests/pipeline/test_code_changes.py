"""Editing code reruns exactly what the edit touches, as editing a value does."""

import pytest

from tests.pipeline.project import Project
from tests.pipeline.stages_of import ALL, END, QPS, assert_reran, everything_but, of_steps

pytestmark = pytest.mark.slow

ENCODED = {f"encode@{qp}" for qp in QPS}
CHANGES = {
    "the ranking": (
        "stages/channels/importance.py", "values / mean", "-values / mean", of_steps(*ALL) | END,
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
        everything_but("prepare", "encode", "schedule"),
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
    own.write_text(OWN)
    try:
        project.edit(network__upsampling__factory="mine:narrow")
        assert "lies outside" not in project.repro().text
        own.write_text(OWN.replace("ESPCN(width, scale)", "ESPCN(width + 2, scale)"))
        assert_reran(project.repro(), everything_but("prepare", "encode", "schedule"))

        weights = project.folder / "models/initial/mine.safetensors"
        weights.write_bytes((project.folder / "models/dense/weights.safetensors").read_bytes())
        project.edit(network__upsampling__weights="models/initial/mine.safetensors")
        project.repro()
        weights.write_bytes((project.folder / "models/step1/weights.safetensors").read_bytes())
        ran = project.call("dvc", "repro", "finetune")
        assert ran.stages == ["finetune"]
        assert "do not fit the network" in ran.text
    finally:
        own.unlink()
        (project.folder / "models/initial/mine.safetensors").unlink(missing_ok=True)
