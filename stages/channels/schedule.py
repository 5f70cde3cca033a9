"""How much each step, and each of its rounds, removes."""

from collections.abc import Mapping, Sequence
from typing import Literal


def step_targets(
    schedule: Literal["even", "geometric", "explicit"],
    target: float,
    steps: Sequence[str],
    shares: Mapping[str, float],
) -> dict[str, float]:
    """Share of what the dense model costs that is gone after each step, rising to the last.

    `even`: equal shares of the initial model a step. `geometric`: each step removes the same
    share of what the one before left. `explicit`: `shares`, and `target` is not read.
    """
    count = len(steps)
    if schedule == "explicit":
        return {step: shares[step] for step in steps}
    if schedule == "geometric":
        return {step: 1 - (1 - target) ** (i / count) for i, step in enumerate(steps, start=1)}
    return {step: target * i / count for i, step in enumerate(steps, start=1)}


def round_budgets(now: int, end: int, rounds: int) -> list[int]:
    """What is left after each round from `now` to `end`: each round leaves the same share."""
    left = [round(now * (end / now) ** (i / rounds)) for i in range(1, rounds)]
    return [*left, end]
