"""Editing code reruns exactly what the edit touches, as editing a value does."""

from collections.abc import Callable, Iterator

import pytest

from tests.pipeline.project import Project
from tests.pipeline.stages_of import ALL, END, QPS, assert_reran, everything_but, of_steps

pytestmark = pytest.mark.slow

Edit = Callable[[str, str, str], None]


@pytest.fixture
def edit(project: Project) -> Iterator[Edit]:
    """Replace a text in a file of the project's code; the files are put back afterwards."""
    before: dict[str, str] = {}

    def replace(path: str, old: str, new: str) -> None:
        file = project.folder / path
        text = before.setdefault(path, file.read_text())
        assert text.count(old) >= 1, f"{path} does not hold {old!r} any more"
        file.write_text(text.replace(old, new))

    yield replace
    for path, text in before.items():
        (project.folder / path).write_text(text)


def test_the_ranking(project: Project, edit: Edit) -> None:
    edit("stages/channels/importance.py", "values / mean", "-values / mean")
    assert_reran(project.repro(), of_steps(*ALL) | END)


def test_a_growth_schedule(project: Project, edit: Edit) -> None:
    edit("stages/channels/growing.py", "(iteration + 1) / grow", "((iteration + 1) / grow) ** 2")
    assert_reran(project.repro(), of_steps(*ALL) | END)


def test_an_operator_rule_that_finds_the_same_graph(project: Project, edit: Edit) -> None:
    edit("stages/dependency/rules/contraction.py", "import torch\n", "import torch  # as ever\n")
    assert_reran(project.repro(), {"graph"})


def test_a_loss(project: Project, edit: Edit) -> None:
    edit("stages/tasks/upsampling/task.py", "EPSILON = 1e-3", "EPSILON = 1e-1")
    assert_reran(project.repro(), everything_but("prepare", "encode", "schedule"))


def test_the_bicubic_baseline(project: Project, edit: Edit) -> None:
    edit("stages/testing/upsampling/baseline.py", '"bicubic")', '"bilinear")')
    ends = {"select", "tradeoff", "summarise", "plot", "track"}
    assert_reran(project.repro(), of_steps("evaluate") | ends)


def test_an_argument_of_ffmpeg_that_changes_no_stream(project: Project, edit: Edit) -> None:
    edit("stages/video/ffmpeg.py", '"-hide_banner", "-nostdin"', '"-nostdin", "-hide_banner"')
    encoded = {f"encode@{qp}" for qp in QPS}
    assert_reran(project.repro(), {"prepare", "codec"} | encoded)


def test_a_figure(project: Project, edit: Edit) -> None:
    edit("stages/figures/quality.py", "Quality by parameters left", "Quality by what is left")
    assert_reran(project.repro(), {"plot", "track"})


@pytest.mark.parametrize(
    "path",
    [
        "stages/tasks/classification/task.py",
        "stages/sources/classification/radio.py",
        "stages/datasets/classification/reading.py",
        "stages/testing/classification/held_out.py",
        "stages/figures/classification.py",
        "stages/settings/weights.py",
        "stages/upsample.py",
    ],
)
def test_code_that_decides_nothing_here(project: Project, edit: Edit, path: str) -> None:
    edit(path, "\n", "\n# not a word of use\n")
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
