"""Multiply-accumulates of single operators, from their arguments and their output `out_val`."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import flop_registry


def _vector(first: Tensor, *args: Any, **_: Any) -> int:
    """A matrix or a vector with a vector: every element of the first is multiplied once."""
    return first.numel()


def _added_vector(_: Tensor, matrix: Tensor, *args: Any, **__: Any) -> int:
    return matrix.numel()


def _added_batches(_: Tensor, one: Tensor, other: Tensor, *args: Any, **__: Any) -> int:
    return one.numel() * other.shape[-1]


def _trilinear(
    one: Tensor, two: Tensor, three: Tensor,
    expand1: list[int], expand2: list[int], expand3: list[int], *args: Any, **_: Any,
) -> int:  # fmt: skip
    """Bilinear layers: every weight meets every sample once."""
    shapes = []
    for tensor, axes in ((one, expand1), (two, expand2), (three, expand3)):
        shape = list(tensor.shape)
        for axis in sorted(axes):
            shape.insert(axis, 1)
        shapes.append(shape)
    return prod(torch.broadcast_shapes(*shapes))


def _convolution(*args: Any, out_val: Tensor, **_: Any) -> int:
    """Deformable (N, C_out, H, W), weight (C_out, C_in / groups, ...): a product a weight and
    position."""
    return int(out_val.numel() * prod(args[1].shape[1:]))


def _convolution_in_time(_: Tensor, weight: Tensor, *args: Any, out_val: Tensor, **__: Any) -> int:
    """Time, batch, channels (T, N, C_out), weight (K, C_in, C_out)."""
    return out_val.numel() * prod(weight.shape[:2])


FORMULAS: dict[str, Callable[..., int]] = {
    "aten::mv": _vector,
    "aten::dot": _vector,
    "aten::vdot": _vector,
    "aten::addmv": _added_vector,
    "aten::addbmm": _added_batches,
    "aten::_trilinear": _trilinear,
    "aten::conv_tbc": _convolution_in_time,
    "torchvision::deform_conv2d": _convolution,
}
FUSED_ATTENTION = (  # chosen where a network insists on it
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu,
    torch.ops.aten._scaled_dot_product_fused_attention_overrideable,
)


def formula_of(func: Any) -> Callable[..., int] | None:
    """The multiply-accumulates of an operator from its arguments and its output `out_val`."""
    if own := FORMULAS.get(func.name().partition(".")[0]):
        return own
    packet = func._overloadpacket
    if packet in FUSED_ATTENTION:
        packet = torch.ops.aten._scaled_dot_product_flash_attention
    flops = flop_registry.get(packet)
    return (lambda *args, **kwargs: int(flops(*args, **kwargs)) // 2) if flops else None
