"""The rule for operators that lay tensors side by side."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Flow
from stages.dependency.labels import NONE, UNIFORM, AxisLabels, core, filled, merged, varying
from stages.dependency.rules.layout import narrowed
from stages.dependency.rules.registry import ANOTHER_AXIS, rule


@rule("cat", "stack")
def joined(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Join the labels of the parts."""
    tensors = [tensor for tensor in args[0] if tensor.numel()] or list(args[0])
    parts, rank = [flow.labels_of(tensor) for tensor in tensors], tensors[0].dim()
    if len({len(axis_labels) for axis_labels in parts}) > 1:
        parts = _as_activations(flow, parts, rank)
    dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    stacked = operator.overloadpacket.__name__ == "stack"
    along = dim % (rank + stacked)
    if len(parts[0]) == 1 and _share_channels(parts, None if stacked else along, rank):
        return [[_across(flow, [axis_labels[0] for axis_labels in parts], along, stacked, output)]]
    return [[_side_by_side(labels, along, stacked, output) for labels in zip(*parts, strict=True)]]


def _as_activations(flow: Flow, parts: list[AxisLabels], rank: int) -> list[AxisLabels]:
    """Parameters that are joined to activations have the labels of the axis that fits."""
    channels = set().union(
        *(varying(axis_labels[0], rank) for axis_labels in parts if len(axis_labels) == 1)
    )
    fitting = []
    for axis_labels in parts:
        fits = [labels for labels in axis_labels if channels and varying(labels, rank) == channels]
        if len(axis_labels) > 1:
            for labels in axis_labels:
                if not any(labels is fit for fit in fits[:1]):
                    flow.freeze(labels, ANOTHER_AXIS)
            axis_labels = fits[:1] or [filled(axis_labels[0].shape, NONE)]
        fitting.append(axis_labels)
    return fitting


def _share_channels(parts: list[AxisLabels], along: int | None, rank: int) -> bool:
    """Whether all parts, uniform ones aside, have channels along the same axes, across the seam."""
    axes = [
        varying(labels, rank) for (labels,) in parts if not bool((core(labels) == UNIFORM).all())
    ]
    return (
        bool(axes) and bool(axes[0]) and along not in axes[0] and axes.count(axes[0]) == len(axes)
    )


def _across(flow: Flow, parts: list[Tensor], along: int, stacked: bool, output: Tensor) -> Tensor:
    """One label for channels that lie across the seam: all parts must keep as many of them."""
    parts = parts if stacked else [merged(part, [along]) for part in parts]
    met = core(parts[0])
    for part in parts[1:]:
        flow.couple(met, part)
        met = torch.maximum(met, core(part))
    return (met.unsqueeze(along) if stacked else met).expand(output.shape)


def _side_by_side(parts: Sequence[Tensor], along: int, stacked: bool, output: Tensor) -> Tensor:
    """Join labels: axes along which all of them are expanded stay so."""
    same = [
        axis
        for axis in range(parts[0].dim())
        if (stacked or axis != along) and all(part.stride(axis) == 0 for part in parts)
    ]
    cut = [narrowed(part, same) for part in parts]
    labels = torch.stack(cut, along) if stacked else torch.cat(cut, along)
    return labels.expand(output.shape)
