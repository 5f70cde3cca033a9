"""Two runs of one stage: the newest alone is kept, and one that nobody waits for stops."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PATIENCE_S = 60
# A stage that says that it runs, works until it may end, and writes what it is told.
STAGE = """
import sys, time
from pathlib import Path
from stages.artifacts import fresh_folder
from stages.running import run_stage

def main():
    words = Path("words").read_text()
    Path(f"{words} runs").touch()
    while not Path(f"{words} may end").exists():
        time.sleep(0.05)
    with fresh_folder(Path("result")) as folder:
        (folder / "words").write_text(words)

run_stage(main)
"""
DVC = "import subprocess, sys; subprocess.run(sys.argv[1:])"  # starts a stage and waits for it


@pytest.fixture
def begin(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / "stage.py").write_text(STAGE)

    def call(words: str, *before: str, **environment: str) -> subprocess.Popen[str]:
        (tmp_path / "words").write_text(words)
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment}
        process = subprocess.Popen(
            [*before, sys.executable, "stage.py"], cwd=tmp_path, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        wait_for((tmp_path / f"{words} runs").exists)
        return process

    return call


def wait_for(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_older_run_does_not_write_over_a_newer_one(
    tmp_path: Path, begin: Callable[..., subprocess.Popen[str]]
) -> None:
    older, newer = begin("older"), begin("newer")
    (tmp_path / "newer may end").touch()
    assert newer.wait(PATIENCE_S) == 0
    (tmp_path / "older may end").touch()
    said, _ = older.communicate(timeout=PATIENCE_S)
    assert older.returncode != 0
    assert said == "error: result: a newer run of this command has begun, so this one ends\n"
    assert (tmp_path / "result/words").read_text() == "newer"
    assert not list(tmp_path.glob(".result*"))


def test_an_older_run_that_ends_first_gives_way_too(
    tmp_path: Path, begin: Callable[..., subprocess.Popen[str]]
) -> None:
    older, newer = begin("older"), begin("newer")
    (tmp_path / "older may end").touch()
    assert older.wait(PATIENCE_S) != 0
    (tmp_path / "newer may end").touch()
    assert newer.wait(PATIENCE_S) == 0
    assert (tmp_path / "result/words").read_text() == "newer"


def test_a_run_alone_may_follow_another(
    tmp_path: Path, begin: Callable[..., subprocess.Popen[str]]
) -> None:
    for words in ("one", "two"):
        (tmp_path / f"{words} may end").touch()
        assert begin(words).wait(PATIENCE_S) == 0
        assert (tmp_path / "result/words").read_text() == words
    assert not list((tmp_path / ".dvc/tmp/claims").iterdir())


@pytest.mark.parametrize("shell", [(), ("/bin/sh", "-c", '"$0" "$@"; true')])
def test_a_stage_stops_once_its_dvc_is_gone(
    tmp_path: Path, begin: Callable[..., subprocess.Popen[str]], shell: tuple[str, ...]
) -> None:
    dvc = begin("it", sys.executable, "-c", DVC, *shell, DVC_STAGE="finetune")
    dvc.kill()
    said, _ = dvc.communicate(timeout=PATIENCE_S)  # until the stage has closed its output as well
    assert "stopped: nothing half-written was kept" in said
    assert not (tmp_path / "result").exists()


def test_a_stage_without_dvc_goes_on(
    tmp_path: Path, begin: Callable[..., subprocess.Popen[str]]
) -> None:
    """Such as one that was started by hand, before its terminal was closed."""
    parent = begin("it", sys.executable, "-c", DVC)
    parent.kill()
    time.sleep(3)
    (tmp_path / "it may end").touch()
    parent.communicate(timeout=PATIENCE_S)
    assert (tmp_path / "result/words").read_text() == "it"
