"""Whether the dense network beats the baseline: if not, what pruning costs cannot be told."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from stages.tasks.quality import Measures

SURE = 3.0  # standard errors that a mean gain must exceed
NOTHING_TOLD = "what pruning costs cannot be told"


def doubt_on_validation(measures: Measures, dense: float, baseline: float) -> str | None:
    """A warning where the dense network is no better, in the digits that are shown; else None."""
    shown = [float(measures.quality.number(value)) for value in (dense, baseline)]
    if measures.quality.better(*shown):
        return None
    return _no_better(measures, "validation", dense, baseline)


def ruin_by_removal(
    measures: Measures, removal: Mapping[str, Any] | None, baseline: float
) -> str | None:
    """A warning where a step's removal left less than the baseline, and what helps; else None."""
    if not removal:
        return None
    repaired, quality = removal["quality_repaired"], measures.quality
    found = removal["quality_after"] if repaired is None else repaired
    if not quality.better(baseline, found):
        return None
    advice = "take more steps, or a smaller target"
    if repaired is None:
        advice = "pruning.repair.method: least_squares mends it without training"
    return (
        f"removal left {quality.text(found)} on validation, less than {measures.baseline} "
        f"({quality.number(baseline)}), before it was trained again: {advice}"
    )


def doubt_on_test(measures: Measures, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """A warning where the dense network's gain on test items could be chance; else None.

    `rows` are of a model and an item each, items in the same order for every model. Their mean gain
    is compared with its standard error, unless the network is better on every item.
    """
    name, quality = measures.quality.name, measures.quality
    dense, baseline = (
        [float(row[name]) for row in rows if row["model"] == model]
        for model in ("dense", measures.baseline)
    )
    gains = [quality.drop(one, other) for one, other in zip(dense, baseline, strict=True)]
    error = stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    if mean(gains) > SURE * error or min(gains) > 0:
        return None
    if mean(gains) <= 0:
        return _no_better(measures, "the test part", mean(dense), mean(baseline))
    return (
        f"the dense model is not clearly better than {measures.baseline} on the test part "
        f"({quality.label} {quality.text(mean(dense))} against {quality.number(mean(baseline))}: "
        f"over {len(gains):,} items that may be chance), so {NOTHING_TOLD}"
    )


def _no_better(measures: Measures, part: str, dense: float, baseline: float) -> str:
    quality = measures.quality
    return (
        f"the dense model is no better than {measures.baseline} on {part} ({quality.label} "
        f"{quality.text(dense)} against {quality.number(baseline)}), so {NOTHING_TOLD}"
    )
