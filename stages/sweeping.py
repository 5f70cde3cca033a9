"""Quality over the sparsity of single weights, by one score."""

from collections.abc import Mapping

import torch
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from stages import artifacts
from stages.errors import UserError
from stages.networks.saved import load_network
from stages.settings import Settings, Sweep
from stages.tasks.task import Task, task_of
from stages.training.gradients import loss_gradients
from stages.training.samples import drawing
from stages.weight_quality import SparseNetworks, repairer_for
from stages.weights.order import Order, emptied_at, order_of, size
from stages.weights.prunable import prunable
from stages.weights.refine import COLUMNS, SparsityCurve, refined_curve
from stages.weights.scores import gradient_times_weight, magnitude, random_score
from stages.weights.synflow import densities, synflow_order

SHOWN = 3  # layers that a line names


def sweep_by(score: str, settings: Settings) -> None:
    """Write the order in which a score removes weights, and quality over sparsity."""
    task, (network, _) = task_of(settings), load_network(artifacts.DENSE_MODEL, settings.trusted)
    order = make_order(score, network, task, settings)
    repairer = repairer_for(network, task, settings)
    sparse = SparseNetworks(network, order, task, settings.training, repairer)
    curve, cut = _curves(score, sparse, settings.of(settings.sweep))
    with artifacts.fresh_folder(artifacts.order_path(score)) as folder:
        small = {name: places.to(torch.int32) for name, places in order.items()}
        save_file(small, folder / artifacts.ORDER)
    rows = table_of(order, curve, cut)
    artifacts.write_csv(artifacts.sweep_table(score), rows, COLUMNS)
    print(f"{score}: {len(curve)} sparsities up to {curve[-1][0]:.3f} of {size(order)} weights")
    if collapse := collapse_text(emptied_at(order), curve[-1][0]):
        print(f"{score}: {collapse}")


def table_of(order: Order, curve: SparsityCurve, cut: SparsityCurve) -> list[dict[str, float]]:
    """A row a sparsity: weights that are left, layers that have none, quality, and that as cut."""
    total, emptied = size(order), emptied_at(order).values()
    rows = [
        (s, total - round(s * total), sum(end <= s for end in emptied), quality, as_cut)
        for (s, quality), (_, as_cut) in zip(curve, cut, strict=True)
    ]
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def collapse_text(emptied: Mapping[str, float], most: float) -> str:
    """Which layers lose all their weights up to a sparsity, and where; empty if none does."""
    lost = sorted((end, name) for name, end in emptied.items() if end <= most)
    if not lost:
        return ""
    first = ", ".join(f"{name} from {end:.4f} on" for end, name in lost[:SHOWN])
    more = f", and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    return f"no weight is left by {most:.3f} in {len(lost)} of {len(emptied)} layers: {first}{more}"


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
        gradients = loss_gradients(
            network, task, drawing(task, "sweep gradient", settings.training)
        )
        return order_of(gradient_times_weight(weights, gradients), sweep.scope)
    if score == "random":
        return order_of(random_score(weights, settings.seed), sweep.scope)
    return order_of(magnitude(weights), sweep.scope)


def _curves(
    score: str, sparse: SparseNetworks, sweep: Sweep
) -> tuple[SparsityCurve, SparsityCurve]:
    """Quality on validation over sparsity, sampled where it changes; and the same as cut."""
    with tqdm(total=sweep.most_points, desc=f"sweep {score}", disable=None) as progress:

        def quality_at(sparsity: float) -> float:
            progress.update()
            return sparse.quality(sparsity)

        curve = refined_curve(
            quality_at, sweep.most_points, sweep.resolution, sweep.largest_sparsity
        )
    if sparse.repairer is None:
        return curve, curve
    return curve, [(sparsity, sparse.quality_cut(sparsity)) for sparsity, _ in curve]
