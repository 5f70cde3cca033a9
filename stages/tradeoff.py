"""Decide a score and a sparsity from the sweeps, make the sparse network, measure its layers."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from stages import artifacts
from stages.errors import UserError
from stages.measuring.criterion import judge
from stages.networks.saved import About, load_network, save_network
from stages.running import run_stage
from stages.settings import SCORES, Settings, load_settings
from stages.sparse_training import recover_sparse
from stages.tasks.task import Task, task_of
from stages.testing.baseline import baseline_of
from stages.training.loop import Outcome, seed_everything
from stages.weight_quality import SparseNetworks, repairer_for
from stages.weights.decide import Decision, as_given, at_the_knee, largest_that_keeps
from stages.weights.layers import Layer, explain, layer_table
from stages.weights.order import size
from stages.weights.refine import SparsityCurve, sharpened

Judge = Callable[[float], tuple[bool, str]]


def main() -> None:
    """Write the decision, the sparse network and the table of layers."""
    settings = load_settings()
    curves, cut = _read_curves("quality"), _read_curves("quality_cut")
    if not curves and settings.of(settings.tradeoff).rule != "given":
        _write_nothing(f"nothing was swept (sweep.{settings.task}.scores is empty)")
        return
    _refuse_unswept(settings, curves)
    seed_everything(settings.seed)
    _trade(settings, task_of(settings), curves, cut)


def _trade(
    settings: Settings,
    task: Task,
    curves: dict[str, SparsityCurve],
    cut: dict[str, SparsityCurve],
) -> None:
    network, about = load_network(artifacts.DENSE_MODEL, settings.trusted)
    keeps = _judge_of(settings, task, curves)
    repairer = repairer_for(network, task, settings)

    def under(score: str) -> SparseNetworks:
        order = dict(load_file(artifacts.order_path(score) / artifacts.ORDER))
        return SparseNetworks(network, order, task, settings.training, repairer)

    if settings.of(settings.tradeoff).rule == "largest":
        curves = _sharpen(curves, under, settings, keeps)
    decision = _decide(settings, task, curves, keeps)
    sparse = under(decision.score)
    made, quality, outcome = _make(sparse, decision.sparsity, task, settings)
    held, verdict = keeps(outcome.quality if outcome else quality)
    layers = layer_table(made, list(sparse.order), torch.zeros(about.example_shape))
    record = {
        "decided": True,
        "rule": settings.of(settings.tradeoff).rule,
        **asdict(decision),
        **_measured(sparse, decision.sparsity, layers),
        "quality": quality,
        "quality_recovered": outcome.quality if outcome else None,
        "keeps_criterion": held,
        "verdict": verdict,
        "curves": curves,
        "curves_cut": cut if repairer else {},
    }
    _write_model(made, about, outcome)
    artifacts.write_csv(artifacts.LAYERS_TABLE, [asdict(layer) for layer in layers])
    artifacts.write_json(artifacts.TRADEOFF, record)
    print(f"sparse: {decision.reason}; criterion {'kept' if held else 'failed'}: {verdict}")


def _measured(sparse: SparseNetworks, sparsity: float, layers: Sequence[Layer]) -> dict[str, Any]:
    """What is told of the sparse network beside its quality."""
    return {
        "weights": size(sparse.order),
        "zeros": sum(layer.zeros for layer in layers),
        "quality_cut": sparse.quality_cut(sparsity),
        "repair": asdict(sparse.repair) if sparse.repair else None,
        "layers": explain(layers),
    }


def _judge_of(settings: Settings, task: Task, curves: dict[str, SparsityCurve]) -> Judge:
    """Whether a quality keeps the criterion, against the dense network where the sweeps began."""
    dense, baseline = next(iter(curves.values()))[0][1], baseline_of(settings).validate()
    criterion = settings.of(settings.criterion)
    return lambda quality: judge(criterion, task.quality, quality, dense, baseline)


def _read_curves(column: str) -> dict[str, SparsityCurve]:
    """A column over sparsity of every score that was swept."""
    curves: dict[str, SparsityCurve] = {}
    for score in SCORES:
        rows = artifacts.read_csv(artifacts.sweep_table(score))
        if rows:
            curves[score] = [(float(row["sparsity"]), float(row[column])) for row in rows]
    return curves


def _refuse_unswept(settings: Settings, curves: dict[str, SparsityCurve]) -> None:
    chosen = settings.of(settings.tradeoff)
    if chosen.rule == "given" and chosen.score not in curves:
        raise UserError(
            f"tradeoff.{settings.task}.score {chosen.score} was not swept: add it to "
            f"sweep.{settings.task}.scores"
        )


def _sharpen(
    curves: dict[str, SparsityCurve],
    under: Callable[[str], SparseNetworks],
    settings: Settings,
    keeps: Judge,
) -> dict[str, SparsityCurve]:
    """Look closely at where every curve crosses the criterion, which the sweeps know nothing of."""
    resolution, sharp = settings.of(settings.sweep).resolution, {}
    for score, curve in curves.items():
        sharp[score] = sharpened(curve, under(score).quality, lambda q: keeps(q)[0], resolution)
    return sharp


def _decide(
    settings: Settings, task: Task, curves: dict[str, SparsityCurve], keeps: Judge
) -> Decision:
    chosen, text = settings.of(settings.tradeoff), task.quality.text
    if chosen.rule == "largest":
        return largest_that_keeps(curves, lambda quality: keeps(quality)[0], text)
    if chosen.rule == "knee":
        return at_the_knee(curves, text)
    assert chosen.score is not None
    assert chosen.sparsity is not None
    return as_given(chosen.score, chosen.sparsity, curves)


def _make(
    sparse: SparseNetworks, sparsity: float, task: Task, settings: Settings
) -> tuple[nn.Module, float, Outcome | None]:
    """Make the sparse network, and recover it if that was asked for.

    Returns it, its quality before recovery, and what recovery came to.
    """
    recovery, network = settings.of(settings.tradeoff).recovery, sparse.made(sparsity)
    quality = task.validate(network)
    network.to("cpu")
    outcome = None
    if recovery.mode == "gradual":
        network = copy.deepcopy(sparse.network)  # sparsity grows from none
    if recovery.mode != "none":
        outcome = recover_sparse(
            network, sparse.order, sparsity, recovery.mode, task, recovery, settings.training
        )
    return network, quality, outcome


def _write_model(network: nn.Module, about: About, outcome: Outcome | None) -> None:
    with artifacts.fresh_folder(artifacts.SPARSE_MODEL) as folder:
        save_network(folder, network, about.after("tradeoff", outcome.iterations if outcome else 0))
        if outcome:
            artifacts.write_csv(folder / artifacts.HISTORY, outcome.history)


def _write_nothing(reason: str) -> None:
    artifacts.write_nothing(artifacts.SPARSE_MODEL, reason)
    artifacts.write_csv(artifacts.LAYERS_TABLE, [], Layer.columns())
    artifacts.write_json(artifacts.TRADEOFF, {"decided": False, "reason": reason})
    print(f"no sparse network: {reason}")


if __name__ == "__main__":
    run_stage(main)
