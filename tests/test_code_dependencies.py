"""Each stage depends on all code that can change its result and on no other, for either task."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.networks.build import FACTORIES
from stages.settings import TASK_NAMES
from tests.code_imports import ROOT, closure, holds_code, imported_by

STAGES: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
CASES = [(stage, task) for stage in STAGES for task in TASK_NAMES]

# What no stage depends on, so that a new setting or a clearer message reruns nothing:
# settings/     refuses values or takes them as they are; those a stage reads are its params.
# artifacts.py  says where things lie; what it writes is read back exactly (test_artifacts.py).
# errors.py     says how a failure is told; a stage that fails has no result.
# running.py    does so too, and drops the result of a run that a newer one has begun to repeat.
FREE = ("stages/settings/", "stages/artifacts.py", "stages/errors.py", "stages/running.py")

# A path in dvc.yaml is for one task only where the task's name is part of it. `video/` is a room of
# its own, so `prepare` lists it for both: an edit there makes labelled samples anew, which takes
# seconds, and as they are the same, nothing runs after it.
ONE_TASK_ONLY = {("prepare", "classification"): "stages/video"}


def code_deps(stage: str, task: str) -> list[str]:
    """The paths of code that `dvc.yaml` lists for a stage."""
    definition = STAGES[stage].get("do", STAGES[stage])
    paths = [path.replace("${task}", task) for path in definition["deps"]]
    return [path for path in paths if path.startswith("stages/")]


def modules_under(path: str) -> set[str]:
    """The files with code that a listed path covers."""
    files = [ROOT / path] if path.endswith(".py") else sorted((ROOT / path).rglob("*.py"))
    assert files, f"{path} holds no code"
    return {file.relative_to(ROOT).as_posix() for file in files if holds_code(file)}


@pytest.mark.parametrize(("stage", "task"), CASES)
def test_all_imported_code_is_listed(stage: str, task: str) -> None:
    covered = set().union(*(modules_under(path) for path in code_deps(stage, task)))
    imported = {m for m in closure(stage, task) if not m.startswith(FREE)}
    assert imported - covered == set()


@pytest.mark.parametrize(("stage", "task"), CASES)
def test_all_listed_code_is_imported(stage: str, task: str) -> None:
    imported, needless = closure(stage, task), dict[str, set[str]]()
    for path in code_deps(stage, task):
        if left := modules_under(path) - imported:
            needless[path] = left
    excused = ONE_TASK_ONLY.get((stage, task))
    assert set(needless) == ({excused} if excused else set()), needless


@pytest.mark.parametrize("stage", STAGES)
def test_what_runs_is_what_is_listed(stage: str) -> None:
    definition = STAGES[stage].get("do", STAGES[stage])
    assert definition["cmd"].startswith(f"python -m stages.{stage}")
    assert f"stages/{stage}.py" in definition["deps"]


NETWORKS = {f"{path.partition(':')[0].replace('.', '/')}.py" for path in FACTORIES.values()}


@pytest.mark.parametrize(("stage", "most"), [("finetune", 30), ("recover", 36)])
def test_training_sees_little_of_the_house(stage: str, most: int) -> None:
    """With one of our networks, as a run has it."""
    for task in TASK_NAMES:
        assert len(closure(stage, task) - NETWORKS) + 1 <= most


def rooms() -> Iterator[tuple[str, str]]:
    """Pairs of rooms of which the first imports the second."""
    for path in (ROOT / "stages").rglob("*.py"):
        for task in TASK_NAMES:
            for other in imported_by(path.relative_to(ROOT).as_posix(), task):
                one, two = (room_of(name) for name in (path.relative_to(ROOT), Path(other)))
                if one != two:
                    yield one, two


def room_of(path: Path) -> str:
    return path.parts[1] if len(path.parts) > 2 else ""


def test_no_two_rooms_import_each_other_even_through_others() -> None:
    left = {room: {b for a, b in set(rooms()) if a == room and b} for room, _ in set(rooms())}
    left.pop("")
    while free := [room for room, needs in left.items() if not needs & left.keys()]:
        for room in free:
            del left[room]
    assert left == {}, "these rooms need each other in a circle"


SCRIPTS = {f"stages/{path.name}" for path in (ROOT / "stages").glob("*.py")}
GROUND = {f"stages/{name}.py" for name in ("artifacts", "errors", "running", "device")}


def test_no_room_imports_a_stage() -> None:
    for path in (ROOT / "stages").rglob("*/*.py"):
        for task in TASK_NAMES:
            used = imported_by(path.relative_to(ROOT).as_posix(), task)
            assert used & SCRIPTS <= GROUND, path


def test_only_prepare_imports_sources() -> None:
    for stage, task in CASES:
        if stage != "prepare":
            assert not any(m.startswith("stages/sources/") for m in closure(stage, task)), stage


def test_pruning_knows_nothing_of_tasks_files_or_tracking() -> None:
    for room in ("dependency", "channels", "weights"):
        for path in (ROOT / "stages" / room).rglob("*.py"):
            used = imported_by(path.relative_to(ROOT).as_posix(), "upsampling")
            known = {room_of(Path(name)) or name for name in used}
            allowed = {"dependency", "channels", "weights", "contractions", "networks"}
            allowed |= {"stages/errors.py"}
            assert known <= allowed, path
