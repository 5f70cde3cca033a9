"""What a task is judged by, in numbers and in words."""

import importlib
from dataclasses import dataclass

from stages.settings import Settings


@dataclass(frozen=True)
class Quality:
    """What a task is judged by: its column name, what figures call it, its unit and direction."""

    name: str
    label: str
    unit: str
    higher_is_better: bool
    digits: int = 3

    def better(self, new: float, old: float) -> bool:
        """Whether `new` is strictly better than `old`."""
        return new > old if self.higher_is_better else new < old

    def drop(self, reference: float, value: float) -> float:
        """How much worse `value` is than `reference`; negative where it is better."""
        return reference - value if self.higher_is_better else value - reference

    def text(self, value: float) -> str:
        """A value with its unit."""
        return f"{self.number(value)} {self.unit}".rstrip()

    def number(self, value: float) -> str:
        """A value with as many digits as mean something."""
        return f"{value:.{self.digits}f}"

    @property
    def axis(self) -> str:
        """What figures write beside an axis of validation quality."""
        return f"{self.label} on validation" + (f" ({self.unit})" if self.unit else "")


@dataclass(frozen=True)
class Measures:
    """A task's quality, the name of its baseline, and the columns of its table of test items."""

    quality: Quality
    baseline: str
    metrics: tuple[str, ...]  # quality among them


def measures_of(settings: Settings) -> Measures:
    """The measures of the task in use."""
    module = importlib.import_module(f"stages.tasks.{settings.task}.measures")
    measures: Measures = module.MEASURES
    return measures
