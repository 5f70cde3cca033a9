"""The task that `params.yaml` names."""

import importlib

from stages.settings import Settings
from stages.tasks.task import Task

# By path, so that a stage imports what its task needs and no more.
TASKS = {
    "upsampling": ("stages.tasks.upsampling", "Upsampling"),
    "classification": ("stages.tasks.classification", "Classification"),
}


def task_of(settings: Settings) -> Task:
    """Make the task in use from its settings."""
    module, name = TASKS[settings.task]
    task: Task = getattr(importlib.import_module(module), name)(settings)
    return task
