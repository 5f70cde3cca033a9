"""Training under penalties that grow on whole channels."""

from collections.abc import Callable, Mapping
from typing import Any

from stages import artifacts
from stages.channels.growing import (
    GrowingPenalty,
    largest_remaining,
    relative_ceilings,
    selected_ceilings,
)
from stages.channels.importance import unit_norms
from stages.channels.portions import is_protected
from stages.dependency.graph import Removed
from stages.networks.saved import save_network
from stages.pruning_step import Step
from stages.settings import Settings, Sparsity
from stages.step_model import StepModel, choose_for, load_step_model, rank, with_curves
from stages.tasks.task import task_of
from stages.training.loop import Outcome, Plan, seed_everything, train
from stages.training.samples import drawing


def sparsify(settings: Settings, step: Step, visible: Mapping[str, Any]) -> None:
    """Write the step's model once sparsity is learned, as the step's schedule file says."""
    seed_everything(settings.seed)
    model = load_step_model(artifacts.model_path(step.start), settings.trusted)
    outcome = _learn(settings, step, model, visible)
    about = model.about.after(f"sparsify {step.name}", outcome.iterations)
    with artifacts.fresh_folder(artifacts.sparsified_path(step.name)) as folder:
        save_network(folder, model.network, about)
        artifacts.write_csv(folder / artifacts.HISTORY, outcome.history)


def _learn(settings: Settings, step: Step, model: StepModel, visible: Mapping[str, Any]) -> Outcome:
    """Train under growing penalties, as the regime's schedule file says; the last state is kept."""
    sparsity, task = settings.of(settings.sparsity), task_of(settings)
    plan = Plan(
        f"sparsify {step.name}",
        sparsity.grow_epochs + sparsity.hold_epochs,
        sparsity.iterations,
        sparsity.learning_rate,
        constant_rate=True,
        keep_best=False,
    )
    network, seen, finished = model.network, visible["seen"], None
    importance = rank(model, seen, task, drawing(task, plan.phase, settings.training))
    if visible["regime"] == "growing":
        free = [g.name for g in model.graph.groups if not is_protected(g, seen["protect"])]
        ceilings = relative_ceilings(
            {name: importance[name] for name in free}, sparsity.ceiling.growing
        )
    else:
        selected = choose_for(model, importance, with_curves(seen))
        ceilings = selected_ceilings(model.graph, selected, sparsity.ceiling.selected)
        finished = _close_to_zero(model, selected, sparsity)
    penalty = GrowingPenalty(
        network, model.graph, ceilings, sparsity.grow_epochs * sparsity.iterations
    )
    return train(network, task, plan, settings.training, penalty, finished)


def _close_to_zero(
    model: StepModel, selected: Removed, sparsity: Sparsity
) -> Callable[[int], bool]:
    """Whether penalties have grown and all selected channels are close to zero."""
    first = unit_norms(model.network, model.graph)

    def finished(epoch: int) -> bool:
        left = largest_remaining(model.network, model.graph, selected, first)
        return epoch >= sparsity.grow_epochs and left < sparsity.close_to_zero

    return finished
