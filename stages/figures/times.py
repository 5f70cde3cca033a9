"""Latency in words: with its spread, and no difference where there is none to be seen."""

from collections.abc import Mapping
from typing import Any

Model = Mapping[str, Any]


def time_text(model: Model, prefix: str = "") -> str:
    """The median in milliseconds, and the quartiles; `prefix` begins the names of all three."""
    low, high = (model[f"{prefix}latency_{end}_ms"] for end in ("low", "high"))
    return f"{model[f'{prefix}latency_ms']:,.2f} ({low:,.2f} to {high:,.2f})"


def within_spread(one: Model, other: Model) -> bool:
    """Whether the middle halves of the runs of two models overlap."""
    return bool(
        one["latency_low_ms"] <= other["latency_high_ms"]
        and other["latency_low_ms"] <= one["latency_high_ms"]
    )


def compared(model: Model, dense: Model) -> str:
    """What a model's time is against the dense one's, as a clause that follows "it"."""
    both = f"{time_text(model)} ms against {time_text(dense)} ms"
    if within_spread(model, dense):
        return f"shows no difference in time beyond the spread of the runs: {both}"
    return f"takes {model['latency_ms'] / dense['latency_ms']:.2f} of its time: {both}"
