"""The task that `params.yaml` names."""

from stages.settings import Settings
from stages.tasks.task import Task
from stages.tasks.upsampling import Upsampling

TASKS = {"upsampling": Upsampling}


def task_of(settings: Settings) -> Task:
    """Make the task in use from its settings."""
    return TASKS[settings.task](settings)
