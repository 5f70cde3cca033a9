"""Products of activations in a positive network: gates held constant, shares of what they pass."""

from typing import Any

import torch
from torch import Tensor


def held(value: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
    """`value` as a constant gate of one passes it on, and the gate over itself, which is one."""
    return value * torch.ones_like(gate), share_of(gate, gate.detach())


def held_mixture(one: Tensor, two: Tensor, first_is_gate: bool) -> tuple[Tensor, Tensor]:
    """A matrix product with a constant gate, and what it would be with the gate, over itself."""
    gate, value = (one, two) if first_is_gate else (two, one)
    rows = gate.detach().sum(-1, keepdim=True)
    mix = share_of(gate, rows)

    def mixed(gate: Tensor, value: Tensor) -> Tensor:
        return gate @ value if first_is_gate else value @ gate

    product = mixed(mix.detach(), value)
    return product, share_of(mixed(mix, value.detach()), product.detach())


def softmax(x: Tensor, axis: int) -> Tensor:
    """Shares along an axis. What is negative was masked."""
    x = x.clamp(min=0)
    return share_of(x, x.detach().sum(axis, keepdim=True))


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention with a constant mixture of values, as `held_mixture`."""
    if query.dim() > 3 and key.shape[-3] != query.shape[-3]:  # heads share keys and values
        times = query.shape[-3] // key.shape[-3]
        key, value = (part.repeat_interleave(times, -3) for part in (key, value))
    scores = query @ key.transpose(-2, -1)
    if causal:
        scores = scores.tril()
    if mask is not None:
        open_to = mask if mask.dtype == torch.bool else mask > -torch.inf
        scores = scores * open_to
    return held_mixture(softmax(scores, -1), value, first_is_gate=True)


def share_of(part: Tensor, whole: Tensor) -> Tensor:
    """`part / whole` where the whole, a constant, is more than nothing; else 0."""
    some = whole > 0
    return torch.where(some, part / torch.where(some, whole, 1.0), 0.0)


def geometric_mean(one: Tensor, two: Tensor) -> Tensor:
    """sqrt(one * two): half of the flow passes through each, none where there is none."""
    made: Tensor = _GeometricMean.apply(one, two)
    return made


class _GeometricMean(torch.autograd.Function):
    """Its slope at zero, where it has none, is taken as zero."""

    @staticmethod
    def forward(context: Any, one: Tensor, two: Tensor) -> Tensor:
        mean = one.clamp(min=0).sqrt() * two.clamp(min=0).sqrt()
        context.save_for_backward(one, two, mean)
        return mean

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        one, two, mean = context.saved_tensors
        flow = gradients[0] * mean / 2
        return share_of(flow, one).sum_to_size(one.shape), share_of(flow, two).sum_to_size(
            two.shape
        )
