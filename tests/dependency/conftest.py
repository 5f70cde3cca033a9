"""What the tests of graphs share."""

from typing import Any

import pytest

from stages.dependency import flow


@pytest.fixture
def operators(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All operators that are run to find a graph: a measure of time that is always the same."""
    run: list[Any] = []
    result_of = flow.result_of

    def counting(operator: Any, *args: Any) -> Any:
        run.append(operator)
        return result_of(operator, *args)

    monkeypatch.setattr(flow, "result_of", counting)
    return run
