"""SynFlow: weights go in rounds by synaptic flow, without data (Tanaka et al., NeurIPS 2020)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from stages.errors import UserError
from stages.weights.order import Order, Scope, shares_within
from stages.weights.positive import PositiveFlow, positive_copy
from stages.weights.prunable import prunable

OTHERS = "take synflow out of the scores of sweep"

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

    Raises:
        UserError: if the network has no positive flow that scores could be taken from.
    """
    positive = positive_copy(network)
    weights = prunable(positive, include)
    sizes = torch.tensor([weight.numel() for weight in weights.values()])
    owner = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    places, live = torch.full((len(owner),), -1), torch.arange(len(owner))
    for density in tqdm([*densities, 0.0], desc="synflow", unit="round", disable=None):
        scores = synflow_scores(positive, weights, shape).values()
        keys = torch.cat([score.reshape(-1) for score in scores])[live]
        if scope == "layer":
            keys = shares_within(keys, owner[live], sizes)
        gone = len(places) - len(live)
        going = max(0, len(live) - round(density * len(places)))
        ranks = torch.argsort(keys, stable=True)
        places[live[ranks[:going]]] = torch.arange(gone, gone + going)
        live = live[ranks[going:].sort().values]
        _silence(weights, places.split(sizes.tolist()))
    parts = zip(weights.items(), places.split(sizes.tolist()), strict=True)
    return {name: part.reshape(weight.shape) for (name, weight), part in parts}


def densities(schedule: Schedule, rounds: int, most: float) -> list[float]:
    """Share of weights left after every round, the last of which leaves 1 - `most`.

    `exponential` is the paper's (algorithm 1); `linear` removes as many weights in each round.
    """
    shares = [(number + 1) / rounds for number in range(rounds)]
    if schedule == "linear":
        return [1 - most * share for share in shares]
    return [float((1 - most) ** share) for share in shares]


def synflow_scores(
    positive: nn.Module, weights: dict[str, nn.Parameter], shape: tuple[int, ...]
) -> dict[str, Tensor]:
    """dR/dw * w for R, the sum of the outputs of a positive network of an input of ones (eq. 2).

    All scores may share one factor, a power of two, where R is beyond what a number can hold. A
    weight of a gate, which is held constant in R, is scored by the flow that its gate passes on.

    Raises:
        UserError: if a score is negative or no number.
    """
    inputs = torch.ones(shape, dtype=torch.float64)
    flow = PositiveFlow(inputs)
    with flow:
        outputs = positive(inputs)
    leaves = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)]
    if not leaves:
        raise UserError("SynFlow finds no tensors in what this network gives: " + OTHERS)
    slopes = _slopes(flow.total(leaves), flow.gated, list(weights.values()))
    scores = {
        name: slope * weight.detach()
        for (name, weight), slope in zip(weights.items(), slopes, strict=True)
    }
    for name, score in scores.items():
        if not bool(torch.isfinite(score).all() and (score >= 0).all()):
            raise UserError(
                f"SynFlow has no meaning for this network (scores of {name} are negative or no "
                f"numbers): {OTHERS}"
            )
    return scores


def _slopes(
    total: Tensor, gated: Sequence[tuple[Tensor, Tensor]], weights: Sequence[Tensor]
) -> list[Tensor]:
    """dR/dw; where that is zero, and a gate depends on w, that of what the gate passes on."""
    products = [product for product, _ in gated]
    found = torch.autograd.grad(
        total, [*weights, *products], retain_graph=bool(gated), materialize_grads=True,
        allow_unused=True,
    )  # fmt: skip
    slopes, passed = found[: len(weights)], found[len(weights) :]
    through = [
        (share * (product * slope).detach()).sum()
        for (product, share), slope in zip(gated, passed, strict=True)
        if share.requires_grad
    ]
    if not through:
        return list(slopes)
    own = torch.autograd.grad(
        torch.stack(through).sum(), weights, materialize_grads=True, allow_unused=True
    )
    return [torch.where(one == 0, two, one) for one, two in zip(slopes, own, strict=True)]


def _silence(weights: dict[str, nn.Parameter], places: tuple[Tensor, ...]) -> None:
    """Set the weights that have a place to zero."""
    with torch.no_grad():
        for weight, part in zip(weights.values(), places, strict=True):
            weight[(part >= 0).reshape(weight.shape)] = 0
