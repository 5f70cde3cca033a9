"""SynFlow: weights go in rounds by synaptic flow, without data (Tanaka et al., NeurIPS 2020)."""

import copy
from collections.abc import Collection, Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from stages.weights.order import Order, Scope, order_of, size
from stages.weights.prunable import prunable

Schedule = Literal["exponential", "linear"]


def synflow_order(
    network: nn.Module,
    shape: tuple[int, ...],
    include: Collection[str],
    scope: Scope,
    densities: Iterable[float],
) -> Order:
    """Remove weights round by round down to the last of `densities`; what is left goes last.

    `shape` is that of an input. Every round scores anew what the rounds before left over, which
    is what keeps layers from losing all their weights (section 5 of the paper).
    """
    positive = positive_copy(network)
    weights = prunable(positive, include)
    places = {name: torch.full(weight.shape, -1) for name, weight in weights.items()}
    total, gone = size(places), 0
    for density in tqdm([*densities, 0.0], desc="synflow", unit="round", disable=None):
        order = order_of(_left_last(synflow_scores(positive, weights, shape), places), scope)
        until = total - round(density * total)
        with torch.no_grad():
            for name, weight in weights.items():
                going = (order[name] >= gone) & (order[name] < until)
                places[name][going] = order[name][going]
                weight[going] = 0
        gone = max(gone, until)
    return places


def densities(schedule: Schedule, rounds: int, most: float) -> list[float]:
    """Share of weights left after every round, the last of which leaves 1 - `most`.

    `exponential` is the paper's (algorithm 1); `linear` removes as many weights in each round.
    """
    shares = [(number + 1) / rounds for number in range(rounds)]
    if schedule == "linear":
        return [1 - most * share for share in shares]
    return [float((1 - most) ** share) for share in shares]


def positive_copy(network: nn.Module) -> nn.Module:
    """A float64 copy with absolute parameters, in which normalisation only scales."""
    copied = copy.deepcopy(network).cpu().double().eval()
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.requires_grad_(True).abs_()
        for module in copied.modules():
            if isinstance(module, _NormBase) and module.running_mean is not None:
                module.running_mean.zero_()
    return copied


def synflow_scores(
    positive: nn.Module, weights: dict[str, nn.Parameter], shape: tuple[int, ...]
) -> dict[str, Tensor]:
    """dR/dw * w for R, the sum of the outputs of a positive network of an input of ones (eq. 2)."""
    positive.zero_grad()
    flow = sum(leaf.sum() for leaf in tree_leaves(positive(torch.ones(shape, dtype=torch.float64))))
    assert isinstance(flow, Tensor)
    flow.backward()
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad * weight.detach()
        for name, weight in weights.items()
    }


def _left_last(scores: dict[str, Tensor], places: Order) -> dict[str, Tensor]:
    """Scores below all others, in their order of going, for the weights that have gone."""
    total = size(places)
    return {
        name: torch.where(places[name] >= 0, places[name].double() - total, score)
        for name, score in scores.items()
    }
