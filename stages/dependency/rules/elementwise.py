"""The rule for operators that work element by element."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Flow, as_sequence
from stages.dependency.labels import NONE, UNIFORM, AxisLabels, core, filled, varying
from stages.dependency.rules.registry import ANOTHER_AXIS, rule, tensors_in


@rule("pointwise", "_prelu_kernel", "native_dropout", "hardswish", "rrelu_with_noise", "dropout")
def elementwise(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Labels that meet are coupled, parameters included (bias, scale, PReLU)."""
    flow.constants.append((operator, *(a for a in (*args, *kwargs.values()) if type(a) is int)))
    operands = [tensor for tensor in tensors_in([args, kwargs]) if tensor.dim() > 0]
    if len(operands) == 1:
        return [flow.labels_of(operands[0])]
    return [[_met(flow, operands, as_sequence(output)[0])]]


@rule("glu")
def gated(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """One half of an axis is multiplied with the other."""
    labels = flow.labels_of(args[0])[0]
    one, other = labels.chunk(2, args[1] if len(args) > 1 else -1)
    flow.couple(one, other)
    return [[one.where(one >= 0, other)]]


def _met(flow: Flow, operands: list[Tensor], result: Tensor) -> Tensor:
    rank = result.dim()
    known = [(tensor, flow.labels_of(tensor)) for tensor in operands]
    carriers = [axis_labels[0] for _, axis_labels in known if len(axis_labels) == 1]
    channels = set().union(*(varying(labels, rank) for labels in carriers))
    met = filled((), UNIFORM)
    for tensor, axis_labels in known:
        wide = {axis + rank - tensor.dim() for axis, n in enumerate(tensor.shape) if n > 1}
        for labels in axis_labels:
            small = core(labels)
            if len(axis_labels) > 1 and varying(labels, rank) != channels:
                flow.freeze(labels, ANOTHER_AXIS)
            elif _is_same_for_all(tensor, small, channels & wide, rank):
                continue
            elif not channels <= wide:
                flow.freeze(labels, "it is broadcast over other channels")
            elif bool((small == NONE).all()):
                for carrier in carriers:
                    flow.freeze(carrier, "it meets a tensor of fixed size")
            else:
                flow.couple(met, small)
                met = torch.where(met < 0, small, met)
    if bool((met == UNIFORM).all()) and any(_is_fixed(labels) for labels in carriers):
        met = filled((), NONE)
    return met.expand(result.shape)


def _is_same_for_all(tensor: Tensor, labels: Tensor, axes: set[int], rank: int) -> bool:
    """Whether channels, which lie along some axes of a broadcast result, meet equal numbers."""
    expanded = bool(axes) and not any(tensor.stride(axis - rank) for axis in axes)
    return bool((labels == UNIFORM).all()) or (expanded and bool((labels == NONE).all()))


def _is_fixed(labels: Tensor) -> bool:
    return not bool((core(labels) == UNIFORM).all())
