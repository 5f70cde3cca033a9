"""Prune single weights of the dense network at once, over many sparsities, by one score."""

import sys

import torch
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from stages import artifacts
from stages.device import device_for
from stages.errors import UserError
from stages.networks.saved import load_network
from stages.running import run_stage
from stages.settings import SCORES, Settings, load_settings
from stages.tasks.task import Task, task_of
from stages.training.gradients import loss_gradients
from stages.weight_quality import masked_quality
from stages.weights.order import Order, order_of, size
from stages.weights.prunable import prunable
from stages.weights.refine import SparsityCurve, refined_curve
from stages.weights.scores import gradient_times_weight, magnitude, random_score
from stages.weights.synflow import densities, synflow_order

COLUMNS = ("sparsity", "weights_left", "quality")


def main() -> None:
    """Write the order in which a score removes weights, and quality over sparsity."""
    settings = load_settings()
    if len(sys.argv) != 2 or sys.argv[1] not in SCORES:
        raise UserError(f"name one score: {', '.join(SCORES)}")
    score = sys.argv[1]
    if score not in settings.of(settings.sweep).scores:
        reason = f"it is not among sweep.{settings.task}.scores"
        artifacts.write_nothing(artifacts.order_path(score), reason)
        artifacts.write_csv(artifacts.sweep_table(score), [], COLUMNS)
        print(f"{score}: not swept ({reason})")
        return
    task, (network, _) = task_of(settings), load_network(artifacts.DENSE_MODEL, settings.trusted)
    order = make_order(score, network, task, settings)
    curve = _curve(score, order, network, task, settings)
    with artifacts.fresh_folder(artifacts.order_path(score)) as folder:
        small = {name: places.to(torch.int32) for name, places in order.items()}
        save_file(small, folder / artifacts.ORDER)
    total = size(order)
    rows = [(s, total - round(s * total), quality) for s, quality in curve]
    table = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    artifacts.write_csv(artifacts.sweep_table(score), table, COLUMNS)
    print(f"{score}: {len(curve)} sparsities up to {curve[-1][0]:.3f} of {total} weights")


def make_order(score: str, network: nn.Module, task: Task, settings: Settings) -> Order:
    """The order in which a score removes the weights of `network`."""
    sweep = settings.of(settings.sweep)
    weights = prunable(network, sweep.include)
    if not weights:
        raise UserError(
            f"the network has none of {', '.join(sweep.include)}: change "
            f"sweep.{settings.task}.include"
        )
    if score == "synflow":
        falling = densities(sweep.synflow.schedule, sweep.synflow.rounds, sweep.largest_sparsity)
        return synflow_order(network, task.example_shape, sweep.include, sweep.scope, falling)
    if score == "gradient":
        gradients = loss_gradients(network, task, settings.training, "sweep gradient")
        return order_of(gradient_times_weight(weights, gradients), sweep.scope)
    if score == "random":
        return order_of(random_score(weights, settings.seed), sweep.scope)
    return order_of(magnitude(weights), sweep.scope)


def _curve(
    score: str, order: Order, network: nn.Module, task: Task, settings: Settings
) -> SparsityCurve:
    """Quality on validation over sparsity, sampled where it changes."""
    sweep, device = settings.of(settings.sweep), device_for(settings.training)
    quality = masked_quality(network, order, task, device)
    with tqdm(total=sweep.most_points, desc=f"sweep {score}", disable=None) as progress:

        def quality_at(sparsity: float) -> float:
            progress.update()
            return quality(sparsity)

        return refined_curve(
            quality_at, sweep.most_points, sweep.resolution, sweep.largest_sparsity
        )


if __name__ == "__main__":
    run_stage(main)
