"""A run that is killed leaves nothing torn, and running again ends in the same result."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.pipeline.project import Project

pytestmark = pytest.mark.slow

PATIENCE_S = 120


def outs(project: Project) -> dict[str, str]:
    """Content hashes of what stages made, but for measured times and what follows from them."""
    lock = YAML(typ="safe").load(project.folder / "dvc.lock")
    found = {out["path"]: out["md5"] for s in lock["stages"].values() for out in s.get("outs", [])}
    return {path: md5 for path, md5 in found.items() if path.startswith(("data/", "models/"))}


def kill_at(project: Project, reached: Callable[[str], bool]) -> str:
    """Run the pipeline until its output so far satisfies `reached`, then kill all of it."""
    log = project.folder / "killed.log"
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
           "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"}  # fmt: skip
    with log.open("w") as file:
        process = subprocess.Popen(
            ["dvc", "repro"], cwd=project.folder, env=env, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True,
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
