"""SynFlow: weights go in rounds by synaptic flow, without data (Tanaka et al., NeurIPS 2020)."""

import copy
from collections.abc import Collection, Iterable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from stages.errors import UserError
from stages.weights.order import Order, Scope, shares_within
from stages.weights.prunable import prunable

Schedule = Literal["exponential", "linear"]

# A positive network must not saturate: there these pass on what they are given.
ACTIVATIONS = (
    nn.ReLU6, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.GELU,
    nn.ELU, nn.SELU, nn.Softplus, nn.Mish,
)  # fmt: skip


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


def positive_copy(network: nn.Module) -> nn.Module:
    """A float64 copy with absolute parameters; normalisation and activations only scale there."""
    copied = copy.deepcopy(network).cpu().double().eval()
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.requires_grad_(True).abs_()
        for module in copied.modules():
            if isinstance(module, _NormBase) and module.running_mean is not None:
                module.running_mean.zero_()
            elif isinstance(module, ACTIVATIONS):
                vars(module)["forward"] = _passed_on
            elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
                vars(module)["forward"] = partial(_scaled, module.weight)
    return copied


def _passed_on(x: Tensor) -> Tensor:
    return x


def _scaled(weight: Tensor | None, x: Tensor) -> Tensor:
    return x if weight is None else x * weight


def synflow_scores(
    positive: nn.Module, weights: dict[str, nn.Parameter], shape: tuple[int, ...]
) -> dict[str, Tensor]:
    """dR/dw * w for R, the sum of the outputs of a positive network of an input of ones (eq. 2).

    Raises:
        UserError: if a score is negative or no number.
    """
    positive.zero_grad()
    outputs = tree_leaves(positive(torch.ones(shape, dtype=torch.float64)))
    torch.stack([output.sum() for output in outputs]).sum().backward()
    scores = {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad * weight.detach()
        for name, weight in weights.items()
    }
    for name, score in scores.items():
        if not bool(torch.isfinite(score).all() and (score >= 0).all()):
            raise UserError(
                f"SynFlow has no meaning for this network (scores of {name} are negative or no "
                "numbers): take synflow out of the scores of sweep"
            )
    return scores


def _silence(weights: dict[str, nn.Parameter], places: tuple[Tensor, ...]) -> None:
    """Set the weights that have a place to zero."""
    with torch.no_grad():
        for weight, part in zip(weights.values(), places, strict=True):
            weight[(part >= 0).reshape(weight.shape)] = 0
