"""Editing a value reruns exactly what lies downstream of it."""

import json

import pytest

from tests.pipeline.project import Project
from tests.pipeline.stages_of import ALL, END, LAST, REST, assert_reran, of_steps, step

pytestmark = pytest.mark.slow


def test_second_run_runs_nothing(project: Project) -> None:
    ran = project.repro()
    assert ran.stages == []
    assert ran.cached == []


def test_stage_list_has_every_step(project: Project) -> None:
    listed = project.call("dvc", "stage", "list", "--name-only").text.split()
    for name in ("step1", "step2"):
        assert step(name, *ALL) <= set(listed)


def test_target_reruns_from_the_first_removal_on(project: Project) -> None:
    project.edit(pruning__target=0.6)
    first = step("step1", *REST)
    assert_reran(project.repro(), {"schedule"} | first | step("step2", *ALL) | END)

    project.edit(pruning__target=0.5)
    back = project.repro()
    assert back.stages == [], "the run cache must bring everything back"
    assert "prune@step1" in back.cached


def test_later_share_reruns_from_its_step_on(project: Project) -> None:
    project.set({"pruning.schedule": "explicit", "pruning.shares": {"step1": 0.3, "step2": 0.5}})
    project.repro()
    project.edit(pruning__shares={"step1": 0.3, "step2": 0.65})
    assert_reran(project.repro(), {"schedule"} | step("step2", *REST) | END)


def test_later_share_reruns_sparsity_learning_that_may_see_it(project: Project) -> None:
    project.set({"pruning.schedule": "explicit", "pruning.shares": {"step1": 0.3, "step2": 0.5}})
    project.edit(sparsity__upsampling__regime="selected")
    project.repro()
    project.edit(pruning__shares={"step1": 0.3, "step2": 0.65})
    assert_reran(project.repro(), {"schedule"} | step("step2", *ALL) | END)


def test_procedures_share_what_they_have_in_common(project: Project) -> None:
    project.edit(procedure="repaired")
    ran = project.repro()
    assert_reran(ran, {"schedule", "sensitivity"} | of_steps(*ALL) | END)
    assert "repaired (" in ran.text

    project.edit(procedure="instant")
    ran = project.repro()
    first = {"schedule", "sensitivity"} | step("step1", *LAST)
    assert_reran(ran, first | step("step2", *ALL) | END)
    assert ran.text.count("not trained, as the procedure says") == 2
    dense = (project.folder / "models/dense/network.json").read_text()
    last = (project.folder / "models/step2/network.json").read_text()
    assert json.loads(last)["iterations"] == json.loads(dense)["iterations"]


def test_recovery_reruns_from_the_first_recovery_on(project: Project) -> None:
    project.edit(recovery__upsampling__learning_rate=0.002)
    first = step("step1", *LAST)
    assert_reran(project.repro(), first | step("step2", *ALL) | END)


def test_a_qp_encodes_at_that_qp_alone(project: Project) -> None:
    project.edit(codec__qps=[22, 27, 32, 41])
    assert_reran(project.repro(), {"encode@41", "codec", "summarise", "plot", "track"})
    project.edit(codec__qps=[22, 27, 32, 37])
    assert_reran(project.repro(), {"codec"})  # data/coded still holds the other QP


def test_criterion_that_gives_the_same_verdicts_trains_nothing(project: Project) -> None:
    project.edit(criterion__upsampling__limit=90.0)
    # Their records hold the reason and a latency, so what reads them runs too.
    ends = {"select", "tradeoff", "summarise", "plot", "track"}
    assert_reran(project.repro(), of_steps("evaluate") | ends)
