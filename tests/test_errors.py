"""What a person reads: one line for what a user can mend, a traceback for a defect of ours."""

import errno
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from stages.errors import UserError
from stages.running import TRACEBACK, run_stage


def raising(problem: BaseException) -> Any:
    def main() -> None:
        raise problem

    return main


def test_what_a_user_can_mend_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRACEBACK, raising=False)
    with pytest.raises(SystemExit) as ended:
        run_stage(raising(UserError("a\nb")))
    assert ended.value.code == "error: a b"


def test_its_traceback_is_shown_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(UserError):
        run_stage(raising(UserError("a")))


@pytest.mark.parametrize(
    ("problem", "word"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError("1000 requested and 0 written"), "disk is full"),  # as NumPy tells it
        (SafetensorError("I/O error: Os { code: 28, kind: StorageFull }"), "disk is full"),
        (MemoryError(), "memory ran out"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory ran out"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "memory ran out"),
        (PermissionError(errno.EACCES, "Permission denied", "models/x"), "models/x"),
    ],
)
def test_what_the_machine_lacks_is_one_line(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, word: str
) -> None:
    monkeypatch.delenv(TRACEBACK, raising=False)
    with pytest.raises(SystemExit) as ended:
        run_stage(raising(problem))
    assert word in str(ended.value.code)


def test_memory_that_no_machine_has_is_told() -> None:
    with pytest.raises(SystemExit) as ended:
        run_stage(lambda: torch.zeros(2**44, dtype=torch.float64).sum())  # type: ignore[arg-type]
    assert "memory ran out" in str(ended.value.code)


@pytest.mark.parametrize("problem", [KeyError("x"), AssertionError(), RuntimeError("no\nway")])
def test_anything_else_goes_through(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    monkeypatch.delenv(TRACEBACK, raising=False)
    with pytest.raises(type(problem)) as raised:
        run_stage(raising(problem))
    assert raised.value is problem


def test_stopping_by_hand_is_one_line() -> None:
    with pytest.raises(SystemExit) as ended:
        run_stage(raising(KeyboardInterrupt()))
    assert "nothing half-written" in str(ended.value.code)
