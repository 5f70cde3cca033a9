"""The order in which weights go, and the masks that follow from it.

A score gives every weight a place in one order of removal, and the mask of a sparsity leaves out
the first ones. So masks nest as sparsity grows, and each is exact to one weight.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

Scope = Literal["global", "layer"]
Scores = Mapping[str, Tensor]  # of a tensor's shape, by name
Order = dict[str, Tensor]  # int64 places from 0 on, of a tensor's shape, by name
Masks = dict[str, Tensor]  # bool, true where a weight stays, by name


def order_of(scores: Scores, scope: Scope) -> Order:
    """Weights in rising score; equal scores keep the network's order.

    With scope `layer`, the weights of each tensor compete among themselves, so that at every
    sparsity all tensors are as sparse as each other, to one weight.
    """
    keys = {name: _shares(score) if scope == "layer" else score for name, score in scores.items()}
    flat = torch.cat([key.detach().double().cpu().reshape(-1) for key in keys.values()])
    places = torch.empty(len(flat), dtype=torch.int64)
    places[torch.argsort(flat, stable=True)] = torch.arange(len(flat))
    parts = places.split([score.numel() for score in scores.values()])
    return {n: part.reshape(s.shape) for (n, s), part in zip(scores.items(), parts, strict=True)}


def _shares(score: Tensor) -> Tensor:
    """Each weight's place within its own tensor, in (0, 1)."""
    ranks = torch.argsort(torch.argsort(score.detach().reshape(-1), stable=True))
    return ((ranks.double() + 0.5) / ranks.numel()).reshape(score.shape)


def size(order: Mapping[str, Tensor]) -> int:
    """How many weights take part."""
    return sum(places.numel() for places in order.values())


def masks_at(order: Order, sparsity: float) -> Masks:
    """The masks of a sparsity in [0, 1]: exactly round(sparsity * weights) of them go."""
    gone = round(sparsity * size(order))
    return {name: places >= gone for name, places in order.items()}


def apply_masks(network: nn.Module, masks: Masks) -> None:
    """Set the masked weights of `network` to zero, in place."""
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, mask in masks.items():
            parameters[name].mul_(mask.to(parameters[name].device))
