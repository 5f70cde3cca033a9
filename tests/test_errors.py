"""What a person reads: one line for what a user can mend, a traceback for a defect of ours."""

from typing import Any

import pytest

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
