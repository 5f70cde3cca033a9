"""Shapes of what some operators give, where the meta device is slow to tell.

On that device a normalisation costs a millisecond, for it is made up of other operators; here it
is a matter of shapes alone.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def result_of(operator: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What an operator gives, values aside where the input has none."""
    shortcut = SHORTCUTS.get(operator)
    known = shortcut is not None and not kwargs and args[0].is_meta
    if not known or not all(_same_numbers(other, args[0]) for other in args[1:2]):
        return operator(*args, **kwargs)
    assert shortcut is not None
    return shortcut(*args)


def _same_numbers(other: Any, x: Tensor) -> bool:
    """Whether an argument is of the same kind of numbers, if it is a tensor at all."""
    return not isinstance(other, Tensor) or (other.is_meta and other.dtype == x.dtype)


def _same(x: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(x)


def _in_place(x: Tensor, *_: Any) -> Tensor:
    return x


def _batch_norm(x: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    for parameter in rest[:4]:
        if parameter is not None and parameter.shape != x.shape[1:2]:
            raise RuntimeError(f"{x.shape[1]} channels meet a normalisation of {len(parameter)}")
    return torch.empty_like(x), x.new_empty(0), x.new_empty(0)


def _layer_norm(x: Tensor, shape: Sequence[int], *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    channels = tuple(x.shape[x.dim() - len(shape) :])
    for parameter in rest[:2]:
        if tuple(shape) != channels or (
            parameter is not None and tuple(parameter.shape) != channels
        ):
            raise RuntimeError(
                f"channels of shape {channels} meet a normalisation of {tuple(shape)}"
            )
    return torch.empty_like(x), x.new_empty(0), x.new_empty(0)


def _addmm(bias: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    if x.shape[1] != weight.shape[0] or bias.shape != weight.shape[1:]:
        raise RuntimeError(
            f"{x.shape[1]} features meet a layer of {weight.shape[0]} to {weight.shape[1]}"
        )
    return x.new_empty(x.shape[0], weight.shape[1])


def _convolution(x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
    stride, padding, dilation, transposed, _, groups = rest
    if transposed or x.dim() != weight.dim():
        wide: Tensor = aten.convolution.default(x, weight, bias, *rest)
        return wide
    if not weight.shape[0]:
        raise RuntimeError("a convolution of no channels runs on no other device")
    if x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
        raise RuntimeError(
            f"{x.shape[1]} channels meet a convolution of {weight.shape[1] * groups} in {groups} "
            "groups"
        )
    sizes = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
        )
    ]
    if min(sizes, default=1) < 1:
        raise RuntimeError(f"a kernel of {tuple(weight.shape[2:])} meets {tuple(x.shape[2:])}")
    return x.new_empty(x.shape[0], weight.shape[0], *sizes)


def _two(x: Tensor, other: Tensor | float) -> Tensor:
    if not isinstance(other, Tensor):
        return torch.empty_like(x, dtype=torch.result_type(x, other))
    return x.new_empty(torch.broadcast_shapes(x.shape, other.shape))


def _two_in_place(x: Tensor, other: Tensor | float) -> Tensor:
    if isinstance(other, Tensor) and torch.broadcast_shapes(x.shape, other.shape) != x.shape:
        raise RuntimeError(f"a tensor of shape {tuple(other.shape)} meets {tuple(x.shape)}")
    return x


def _mean(x: Tensor, axes: Sequence[int] | None = None, kept: bool = False) -> Tensor:
    if not axes or not x.is_floating_point():
        wide: Tensor = aten.mean.dim(x, axes, kept)
        return wide
    return x.new_empty(_sizes_without(x, axes, kept))


def _norm(
    x: Tensor, order: float = 2, axes: Sequence[int] | None = None, kept: bool = False
) -> Tensor:
    if not axes or not x.is_floating_point():
        wide: Tensor = aten.linalg_vector_norm.default(x, order, axes, kept)
        return wide
    return x.new_empty(_sizes_without(x, axes, kept))


def _sizes_without(x: Tensor, axes: Sequence[int], kept: bool) -> list[int]:
    over = {axis % x.dim() for axis in axes}
    return [1 if axis in over else n for axis, n in enumerate(x.shape) if kept or axis not in over]


SHORTCUTS: dict[Any, Callable[..., Any]] = {
    aten.native_batch_norm.default: _batch_norm,
    aten.native_layer_norm.default: _layer_norm,
    aten.addmm.default: _addmm,
    aten.convolution.default: _convolution,
    aten.mean.dim: _mean,
    aten.linalg_vector_norm.default: _norm,
    **dict.fromkeys([aten.add.Tensor, aten.mul.Tensor, aten.sub.Tensor], _two),
    **dict.fromkeys([aten.add_.Tensor, aten.mul_.Tensor], _two_in_place),
    **dict.fromkeys([aten.gelu.default, aten.silu.default, aten.sigmoid.default,
                     aten.relu.default, aten.hardtanh.default, aten.hardswish.default,
                     aten.hardsigmoid.default, aten.tanh.default, aten.clamp_min.default,
                     aten._safe_softmax.default, aten._softmax.default,
                     aten.clamp.default, aten.roll.default, aten.exp.default], _same),
    **dict.fromkeys([aten.silu_.default, aten.relu_.default, aten.hardtanh_.default,
                     aten.hardswish_.default, aten.hardsigmoid_.default], _in_place),
}  # fmt: skip
