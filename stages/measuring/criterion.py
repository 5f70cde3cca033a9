"""The performance criterion: how much quality a pruned model may lose."""

from stages.settings import Criterion
from stages.tasks.quality import Quality

ROUNDING = 1e-9  # what sums of floats may be off by


def threshold(criterion: Criterion, quality: Quality, dense: float, baseline: float) -> float:
    """The worst quality that keeps the criterion, given the dense model's and the baseline's."""
    if criterion.rule == "drop":
        return dense - criterion.limit if quality.higher_is_better else dense + criterion.limit
    if criterion.rule == "share":
        return dense * criterion.limit if quality.higher_is_better else dense / criterion.limit
    return baseline + criterion.limit * (dense - baseline)


def judge(
    criterion: Criterion, quality: Quality, value: float, dense: float, baseline: float
) -> tuple[bool, str]:
    """Whether `value` keeps the criterion, and why, in words."""
    limit = threshold(criterion, quality, dense, baseline)
    needed, was = quality.number(limit), quality.number(dense)
    return quality.drop(limit, value) <= ROUNDING, (
        f"{quality.text(value)} on validation, where {needed} is needed (dense {was})"
    )
