"""A run that is killed leaves nothing torn, and running again ends in the same result."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from tests.pipeline.project import Project

pytestmark = pytest.mark.slow

PATIENCE_S = 120


# An iteration that takes a while, and says which process it is of.
SLOW = (
    "        import os, time\n"
    "        open('started', 'w').write(str(os.getpid()))\n"
    "        time.sleep(0.05)\n"
    "        self.iteration += 1\n"
)


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"}


def outs(project: Project) -> dict[str, str]:
    """Content hashes of what stages made, but for measured times and what follows from them."""
    lock = YAML(typ="safe").load(project.folder / "dvc.lock")
    found = {out["path"]: out["md5"] for s in lock["stages"].values() for out in s.get("outs", [])}
    return {path: md5 for path, md5 in found.items() if path.startswith(("data/", "models/"))}


def kill_at(project: Project, reached: Callable[[str], bool]) -> str:
    """Run the pipeline until its output so far satisfies `reached`, then kill all of it."""
    log = project.folder / "killed.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            ["dvc", "repro"], cwd=project.folder, env=environment(), stdout=file,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + PATIENCE_S
        while not reached(log.read_text()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    text = log.read_text()
    log.unlink()
    return text


@pytest.mark.parametrize("stage", ["encode@27", "finetune"])
def test_killing_and_running_again(made_once: Project, fresh: Any, stage: str) -> None:
    project: Project = fresh()
    partial = {"encode@27": "data/coded/.qp27.*.partial/*/*", "finetune": None}[stage]

    def reached(text: str) -> bool:
        if partial:
            return any(project.folder.glob(partial))
        return f"Running stage '{stage}'" in text and (project.folder / "started").exists()

    if not partial:  # the first sample that training asks for
        module = project.folder / "stages/tasks/upsampling/samples.py"
        text = module.read_text()
        module.write_text(text.replace(
            "    def __getitem__(self, index: int)",
            "    def __getitem__(self, index):\n"
            "        open('started', 'w').close()\n"
            "        return self.sample(index)\n\n"
            "    def sample(self, index: int)",
        ))  # fmt: skip
    killed = kill_at(project, reached)
    assert f"Running stage '{stage}'" in killed
    made = "data/coded/qp27" if partial else "models/dense"
    assert not (project.folder / made).exists(), "nothing torn stands where the result belongs"
    project.repro()
    found = outs(project)
    assert {"data/coded/qp27", "models/dense", "models/pruned"} <= found.keys()
    # What was made once may hold what other tests asked for besides.
    assert found.items() <= outs(made_once).items()
    assert project.repro().stages == []
    assert not [path for path in project.folder.rglob("*.partial") if ".dvc" not in path.parts]


def test_a_stage_that_outlives_its_dvc_does_not_bring_its_result(fresh: Any) -> None:
    project: Project = fresh()
    module = project.folder / "stages/training/loop.py"
    slow = module.read_text().replace("        self.iteration += 1\n", SLOW)
    assert SLOW in slow
    module.write_text(slow)
    project.edit(finetune__upsampling__iterations=400)
    process = subprocess.Popen(
        ["dvc", "repro", "finetune"], cwd=project.folder, env=environment(), start_new_session=True,
    )  # fmt: skip
    started, end = project.folder / "started", time.monotonic() + PATIENCE_S
    while not started.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    process.kill()  # DVC alone: the stage goes on
    process.wait()
    orphan = int(started.read_text())
    project.edit(finetune__upsampling__iterations=3)
    ran = project.call("dvc", "repro", "finetune")
    assert ran.code == 0, ran.text
    while psutil.pid_exists(orphan):
        assert time.monotonic() < end, "the orphan goes on"
        time.sleep(0.1)
    history = (project.folder / "models/dense/history.csv").read_text().splitlines()
    assert history[-1].split(",")[1] == "6", "two epochs of three iterations, not of 400"
    assert not [path for path in project.folder.rglob("*.partial") if ".dvc" not in path.parts]
