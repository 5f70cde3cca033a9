"""Training a sparse network with its mask held, or while sparsity grows."""

from typing import Literal

from torch import nn

from stages.settings import Training
from stages.settings.training import Phase
from stages.tasks.task import Task
from stages.training.loop import Outcome, Plan, train
from stages.weights.order import Order, apply_masks, masks_at
from stages.weights.ramp import sparsity_at


def recover_sparse(
    network: nn.Module,
    order: Order,
    sparsity: float,
    mode: Literal["at_once", "gradual"],
    task: Task,
    phase: Phase,
    training: Training,
) -> Outcome:
    """Train `network` in place; it ends with exactly the mask of `sparsity`.

    `at_once` holds that mask from the start. `gradual` lets sparsity grow in the first half of the
    epochs; in the second the mask is held, and the best is kept.
    """
    held = masks_at(order, sparsity)
    growing = phase.epochs // 2 if mode == "gradual" else 0
    before = Outcome(quality=0.0)
    if growing:
        plan = Plan("grow sparsity", growing, phase.iterations, phase.learning_rate,
                    constant_rate=True, keep_best=False)  # fmt: skip

        def grow(iteration: int, _: float) -> None:
            share = sparsity_at((iteration + 1) / plan.total)
            apply_masks(network, masks_at(order, share * sparsity))

        before = train(network, task, plan, training, grow)
    apply_masks(network, held)
    plan = Plan("recover sparse", phase.epochs - growing, phase.iterations, phase.learning_rate)
    outcome = train(network, task, plan, training, lambda _, __: apply_masks(network, held))
    for row in outcome.history:
        row |= {"epoch": int(row["epoch"]) + growing}
        row |= {"iteration": int(row["iteration"]) + before.iterations}
    outcome.epoch += growing
    outcome.iterations += before.iterations
    outcome.history = [*before.history, *outcome.history[bool(growing) :]]
    return outcome
