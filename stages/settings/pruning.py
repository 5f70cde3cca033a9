"""Sections on channel pruning: its procedure, its steps, its target, and the criterion."""

import itertools
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, PlainValidator, model_validator

from stages.settings.section import Count, NotNegative, PerTask, Positive, Section, Share

Name = Literal["repaired", "instant", "standard"]
Importance = Literal["obs", "norm2", "mean", "taylor"]
Regime = Literal["growing", "selected", "none"]
Method = Literal["least_squares", "none"]
Goal = Literal["parameters", "macs", "bytes", "time"]


@dataclass(frozen=True)
class Procedure:
    """How a step ranks and repairs, how it learns sparsity, and whether it trains afterwards."""

    importance: Importance
    repair: Method
    regime: Regime
    recovery: bool


PROCEDURES: dict[Name, Procedure] = {
    "repaired": Procedure("obs", "least_squares", "none", recovery=True),
    "instant": Procedure("obs", "least_squares", "none", recovery=False),
    "standard": Procedure("norm2", "none", "growing", recovery=True),
}

DENSE = "dense"  # the name of the model that the first step starts from
# What else is in models/, so no step can be called so.
RESERVED = {
    "pruned", "sparsified", "after_removal", "controls", "schedule", "verdicts", "orders", "sparse",
    "quantised", "own", "initial", "start", "exports", "exported",
}  # fmt: skip


def _named_steps(value: Any) -> Any:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(
                    f"step names must be text such as step1, not the number {key!r} "
                    "(DVC would silently run no step at all)"
                )
    return value


def _chain(steps: dict[str, str]) -> None:
    """Refuse a mapping that is not one chain from the dense model, in the order written."""
    if not steps:
        raise ValueError("needs at least one step, such as {step1: dense}")
    for name in steps:
        if name == DENSE or name in RESERVED or not name.isidentifier():
            raise ValueError(f"a step cannot be called {name!r}: use a name such as step1")
    for name, start in steps.items():
        if start != DENSE and start not in steps:
            raise ValueError(f"{name} starts from {start!r}, which is neither {DENSE} nor a step")
    for name in steps:
        seen, at = {name}, steps[name]
        while at != DENSE:
            if at in seen:
                raise ValueError(f"the steps form a cycle through {at}; one must start from dense")
            seen.add(at)
            at = steps[at]
    before = [DENSE, *list(steps)[:-1]]
    for name, start, expected in zip(steps, steps.values(), before, strict=True):
        if start != expected:
            raise ValueError(f"{name} must start from {expected}: steps are one chain, in order")


class Repair(Section):
    """Repair in closed form, on so many training samples, which importance `obs` looks at, too.

    Both are tried on so many `draws` of samples, and the result with the least loss goes on.
    `ridge` is how far weights are held back, as a share of the mean square of a layer's inputs.
    """

    method: Method | Literal["auto"]
    samples: PerTask[Count]
    draws: PerTask[Count]
    ridge: Positive


BOUNDS: dict[str, Goal] = {
    "parameters": "parameters", "macs": "macs", "bytes": "bytes", "time_ms": "time",
}  # fmt: skip


class Bound(Section):
    """How much of a cost may be left, at most; of time, in ms."""

    of: Goal
    most: Positive


def _target(value: Any) -> float | Bound:
    """A share to remove, in (0, 1), or a bound such as `{macs: 30e9}`."""
    if isinstance(value, dict):
        if len(value) != 1 or not value.keys() <= BOUNDS.keys():
            raise ValueError(f"a bound names one of {', '.join(BOUNDS)}: {{macs: 30e9}}")
        ((name, most),) = value.items()
        return Bound(of=BOUNDS[name], most=most)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("should be a share between 0 and 1, or a bound such as {macs: 30e9}")
    if not 0 < value < 1:
        raise ValueError(f"should be {'greater than 0' if value <= 0 else 'less than 1'}")
    return float(value)


class Pruning(Section):
    """How much goes, in which steps, and by what ranking.

    Within a step, removal and repair take turns in `rounds`.
    """

    goal: Goal
    target: Annotated[float | Bound, PlainValidator(_target)]
    schedule: Literal["even", "geometric", "explicit"]
    shares: Annotated[dict[str, Share], BeforeValidator(_named_steps)]
    steps: Annotated[dict[str, str], BeforeValidator(_named_steps)]
    importance: Importance | Literal["auto"]
    repair: Repair
    rounds: Count
    scope: Literal["global", "local", "sensitivity"]
    minimum_channels: Count
    round_to: Count | Literal["auto"]
    protect: tuple[str, ...]

    @property
    def needs_costs(self) -> bool:
        """Whether times of layers over widths are looked at."""
        return self.goal == "time" or self.round_to == "auto"

    @model_validator(mode="after")
    def _steps_can_run(self) -> Self:
        try:
            _chain(self.steps)
        except ValueError as error:
            raise ValueError(f"steps: {error}") from None
        if isinstance(self.target, Bound) and self.target.of != self.goal:
            raise ValueError(f"target: a bound of {self.target.of} needs goal: {self.target.of}")
        if self.schedule == "explicit":
            if list(self.shares) != list(self.steps):
                raise ValueError("shares: an explicit schedule needs one share for each of steps")
            shares = list(self.shares.values())
            if any(b <= a for a, b in itertools.pairwise(shares)):
                raise ValueError("shares: each step's share must be larger than the one before")
        return self


class Criterion(Section):
    """How much of the dense model's quality a pruned model must keep.

    `drop`: at most `limit` below it, in the unit of quality. `share`: at least `limit` of it.
    `gain`: at least `limit` of what the dense model gains over the baseline.
    """

    rule: Literal["drop", "share", "gain"]
    limit: NotNegative

    @model_validator(mode="after")
    def _shares_ask_for_something(self) -> Self:
        if self.rule != "drop" and self.limit == 0:
            raise ValueError(f"limit: a {self.rule} of 0 asks for nothing")
        return self
