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
    flat = torch.cat([score.detach().double().cpu().reshape(-1) for score in scores.values()])
    sizes = torch.tensor([score.numel() for score in scores.values()])
    if scope == "layer":
        owner = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
        flat = shares_within(flat, owner, sizes)
    places = torch.empty(len(flat), dtype=torch.int64)
    places[torch.argsort(flat, stable=True)] = torch.arange(len(flat))
    parts = places.split(sizes.tolist())
    return {n: part.reshape(s.shape) for (n, s), part in zip(scores.items(), parts, strict=True)}


def shares_within(scores: Tensor, owner: Tensor, sizes: Tensor) -> Tensor:
    """Each weight's place within its tensor as a share of the tensor's size, in (0, 1).

    `owner` says which tensor each of the scores (N) belongs to; of the weights that `sizes` counts,
    those without a score went before.
    """
    ranks = torch.argsort(scores, stable=True)
    ranks = ranks[torch.argsort(owner[ranks], stable=True)]
    left = torch.bincount(owner, minlength=len(sizes))
    starts = torch.cumsum(left, 0) - left
    within = torch.empty_like(ranks)
    within[ranks] = torch.arange(len(ranks)) - starts[owner[ranks]]
    return ((sizes - left)[owner] + within.double() + 0.5) / sizes[owner]


def size(order: Mapping[str, Tensor]) -> int:
    """How many weights take part."""
    return sum(places.numel() for places in order.values())


def emptied_at(order: Order) -> dict[str, float]:
    """The sparsity from which on each tensor has no weight left (layer collapse), by name."""
    everything = size(order)
    return {name: (int(places.max()) + 1) / everything for name, places in order.items()}


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
