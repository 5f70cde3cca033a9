"""What the stages of a pruning step share: which step it is, where it starts, passing on."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from stages import artifacts
from stages.errors import UserError
from stages.settings import Settings, load_settings


@dataclass(frozen=True)
class Step:
    """A step by name, and the name of the model it starts from."""

    name: str
    start: str


def step_from_arguments() -> tuple[Settings, Step]:
    """Read the settings, and the step that the command line names.

    Raises:
        UserError: if it is not one of `pruning.steps`.
    """
    settings = load_settings()
    steps = settings.pruning.steps
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        raise UserError(f"name one step of pruning.steps: {', '.join(steps)}")
    return settings, Step(sys.argv[1], steps[sys.argv[1]])


def starts_failed(step: Step) -> bool:
    """Whether the model that the step starts from failed the criterion."""
    return not artifacts.read_json(artifacts.verdict_path(step.start))["keeps_criterion"]


def pass_on(step: Step, source: Path, target: Path) -> None:
    """Hand a model that failed the criterion to the next stage as it is, and say so."""
    hand_over(source, target)
    print(f"{step.name}: {step.start} failed the criterion; its model is passed on untouched")


def hand_over(source: Path, target: Path) -> None:
    """Hand a model to the next stage as it is, without the records of how it was made."""
    with artifacts.fresh_folder(target) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        for record in (artifacts.HISTORY, artifacts.REMOVAL):
            (folder / record).unlink(missing_ok=True)
