"""Rules for operators that add places, or pick some: padding and indexing."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Flow
from stages.dependency.labels import NONE, AxisLabels, compact, core, filled, varying
from stages.dependency.rules.layout import narrowed
from stages.dependency.rules.registry import rule, tensors_in, unlabelled, without_rule

PADS = ("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
        "replication_pad1d", "replication_pad2d", "replication_pad3d")  # fmt: skip


@rule("as_strided")
def restrided(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Nothing moves where only axes of length one get other strides, as pooling does."""
    axis_labels, x = flow.labels_of(args[0]), args[0]
    steps = torch.empty(output.shape, device="meta").stride()
    long = [axis for axis, length in enumerate(output.shape) if length > 1]
    if axis_labels[0].shape == output.shape and all(
        x.stride(axis) == output.stride(axis) == steps[axis] for axis in long
    ):
        return [axis_labels]
    return without_rule(flow, operator, args, kwargs, output)


@rule(*PADS)
def padding(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Padding along positions changes no label; zeros beside channels have none."""
    if len(flow.labels_of(args[0])) > 1:
        return without_rule(flow, operator, args, kwargs, output)
    labels, widths = compact(flow.labels_of(args[0])[0]), list(args[1])
    small = core(labels)
    axes = [labels.dim() - 1 - n // 2 for n, width in enumerate(widths) if width]
    if all(labels.stride(axis) == 0 or labels.shape[axis] == 0 for axis in axes):
        shape = [1 if a in axes else n for a, n in enumerate(small.shape)]
        return [[small.reshape(shape).expand(output.shape)]]
    # What pads is zero, so labels are moved up for NONE to be zero.
    padded = operator((labels.clamp(min=NONE) + 1).double(), *args[1:2])
    return [[padded.round().long() - 1]]


@rule("gather")
def gathered(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Picking positions, others for each channel: the numbers go with the channels they are of."""
    axis_labels, numbers = flow.labels_of(args[0]), flow.labels_of(args[2])
    labels, rank = axis_labels[0], max(1, args[0].dim())
    axis, channels = args[1] % rank, varying(labels, rank)
    others = [a for a in range(args[0].dim()) if a != axis]
    whole = all(output.shape[a] == args[0].shape[a] for a in others)
    fixed = bool((core(numbers[0]) == NONE).all())
    by_channel = fixed and any(args[2].stride(a) for a in channels)
    if axis in channels or not whole or by_channel or len(axis_labels) + len(numbers) > 2:
        for one in (*axis_labels, *numbers):
            flow.freeze(one, "it is picked by its number")
        return unlabelled(flow, operator, args, kwargs, output)
    one = narrowed(core(labels), [axis]).expand(output.shape)
    flow.couple(one, numbers[0])
    return [[one]]


@rule("index", "index_select", "embedding")
def picked(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Picking positions moves no channel; channels that are picked by number stay."""
    for numbers in tensors_in(args[1:]):
        flow.labels_of(numbers)  # notes a buffer of numbers as used
    if operator.overloadpacket.__name__ == "embedding":
        made = flow.labels_of(args[0])[-1][0]
        flow.note_contraction(made, None)
        flow.freeze(flow.labels_of(args[0])[0], "its indices are looked up")
        return [[made.expand(output.shape)]]
    axis_labels = []
    for labels in flow.labels_of(args[0]):
        if not varying(labels, labels.dim()):
            label = int(core(labels).reshape(-1)[0]) if labels.numel() else NONE
            axis_labels.append(filled(output.shape, label))
            continue
        moved = _picked_positions(operator, args, labels, output)
        if moved is None:
            flow.freeze(labels, "it is picked by its number")
            moved = filled(output.shape, NONE)
        axis_labels.append(moved)
    return [axis_labels] if axis_labels else without_rule(flow, operator, args, kwargs, output)


def _picked_positions(
    operator: Any, args: Sequence[Any], labels: Tensor, output: Tensor
) -> Tensor | None:
    """The labels of what is picked along axes where labels do not differ; None along others."""
    name = operator.overloadpacket.__name__
    if name == "index":
        axes = [axis for axis, index in enumerate(args[1]) if index is not None]
    else:
        axes = [args[1] % labels.dim()]
    if set(axes) & varying(labels, labels.dim()):
        return None
    if name == "index_select" or (len(axes) == 1 and args[1][axes[0]].dim() == 1):
        return narrowed(core(labels), axes).expand(output.shape)
    small = narrowed(labels, axes)
    extra = output.dim() - (labels.dim() - len(axes))
    if axes == list(range(axes[0], axes[0] + len(axes))):
        shape = [*small.shape[: axes[0]], *[1] * extra, *small.shape[axes[-1] + 1 :]]
        return small.reshape(shape).expand(output.shape)
    return None
