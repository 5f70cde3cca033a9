"""Quality of the dense network when one pruning group alone is narrowed, and repaired."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from stages import artifacts
from stages.channels.portions import is_protected
from stages.channels.repair import cut_readers, repair_channels
from stages.channels.sensitivity import Curve, curve_of, widths_to_try
from stages.dependency.graph import Removed
from stages.device import device_for
from stages.settings import Settings
from stages.step_model import StepModel, load_step_model, rank, without
from stages.tasks.task import Task, task_of
from stages.training.loop import seed_everything
from stages.training.samples import drawing

EVERY = 4  # samples of the validation part, one is looked at


def sensitivity_curves(settings: Settings) -> dict[str, Curve]:
    """Drop of quality on validation over the units that are left, of each group that may lose some.

    In each, the least important go first, by the ranking of the procedure. Layers that read the
    group are repaired.
    """
    seed_everything(settings.seed)
    pruning, task = settings.pruning, task_of(settings)
    model = load_step_model(artifacts.DENSE_MODEL, settings.trusted)
    draw = drawing(task, "sensitivity", settings.training)
    ranking: dict[str, Any] = {
        "importance": settings.chosen.importance,
        "samples": settings.of(pruning.repair.samples),
        "ridge": pruning.repair.ridge,
    }
    importance = rank(model, ranking, task, draw)
    repairs = settings.chosen.repair != "none"
    inputs = [batch for batch, _ in draw(ranking["samples"])] if repairs else []
    model.network.to(device_for(settings.training))
    dense, curves = task.validate(model.network, EVERY), dict[str, Curve]()
    groups = [group for group in model.graph.groups if not is_protected(group, pruning.protect)]
    for group in tqdm(groups, "sensitivity", unit="group", disable=None):
        widths = widths_to_try(group.units, pruning.minimum_channels)
        order = np.argsort(importance[group.name], kind="stable")
        drops = []
        for left in widths:
            gone = {group.name: order[: group.units - left]}
            quality = _quality(model, gone, task, inputs, pruning.repair.ridge)
            drops.append(task.quality.drop(dense, quality))
        curves[group.name] = curve_of(group.units, widths, drops)
    return curves


def _quality(
    model: StepModel, gone: Removed, task: Task, inputs: Sequence[Tensor], strength: float
) -> float:
    network = without(model, gone)
    if inputs:
        readers = cut_readers(model.graph, gone)  # others have not lost an input, and take long
        repair_channels(network, model.network, model.graph, gone, inputs, strength, readers)
    return task.validate(network, EVERY)
