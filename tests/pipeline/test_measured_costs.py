"""Time as the goal, widths that pay, and sensitivity: measured once, whatever is asked of them."""

import json
from typing import Any

import pytest

from tests.pipeline.project import Project
from tests.pipeline.stages_of import ALL, END, REST, step

pytestmark = pytest.mark.slow

ASKED: dict[str, Any] = {
    "pruning.goal": "time", "pruning.target": 0.15, "pruning.round_to": "auto",
    "pruning.scope": "sensitivity", "costs.runtime": "torch",
    "evaluation.upsampling.latency_frame": [128, 128],
}  # fmt: skip


def read(project: Project, path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project.folder / path).read_text())
    return content


def test_another_number_measures_nothing_anew(project: Project) -> None:
    project.set(ASKED)
    ran = project.repro()
    assert {"costs", "sensitivity", "schedule", "prune@step1"} <= set(ran.stages)
    costs, groups = read(project, "models/costs.json"), read(project, "models/sensitivity.json")
    assert costs["multiples"].keys() == groups["groups"].keys()
    for name in ("step1", "step2"):
        removal = read(project, f"models/after_removal/{name}/removal.json")
        assert removal["goal"] == "time"
        assert removal["time"] > 0
    assert (project.folder / "metrics/figures/sensitivity.png").is_file()

    project.edit(pruning__target=0.2)
    elsewhere = project.call("dvc", "repro", OMP_NUM_THREADS="2")
    assert elsewhere.code != 0
    assert "measure anew with `dvc repro -f -s costs`" in elsewhere.text
    assert "Traceback" not in elsewhere.text

    ran = project.repro()
    again = {*ran.stages, *ran.cached}
    assert {"schedule", "prune@step1", "prune@step2"} <= again
    # Networks this small lose whole units for either number: what is alike runs no further.
    downstream = {"schedule", "quantise"} | step("step1", *REST) | step("step2", *ALL) | END
    assert again <= downstream
