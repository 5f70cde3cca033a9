"""The rule for operators that move elements: they are applied to the labels themselves."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Flow, as_sequence
from stages.dependency.labels import NONE, AxisLabels, compact, core, merged, varying
from stages.dependency.rules.registry import rule, tensors_in

VIEWS = ("view", "_unsafe_view", "reshape", "_reshape_alias")
COPIES = ("clone", "contiguous", "_to_copy", "lift_fresh", "detach", "alias", "lift_fresh_copy")
SPLITS = ("split", "split_with_sizes", "unbind", "chunk", "unsafe_split", "unsafe_chunk",
          "unsafe_split_with_sizes", "tensor_split")  # fmt: skip


@rule("permute", "transpose", "t", "slice", "select", "squeeze", "unsqueeze", "expand", "unfold",
      "pixel_shuffle", "pixel_unshuffle", "native_channel_shuffle", "channel_shuffle", "im2col",
      "repeat", "flip", "roll", "movedim", "diagonal", *VIEWS, *COPIES, *SPLITS)  # fmt: skip
def movement(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Apply the operator to the labels."""
    name = operator.overloadpacket.__name__.removesuffix("_")
    most = max(len(flow.labels_of(tensor)) for tensor in tensors_in(args[0]))
    moved: list[AxisLabels] = [[] for _ in as_sequence(output)]
    for number in range(most):
        first = _labels_along(flow, number, args[0])
        result = _move(operator, first, args, kwargs, output)
        for axis_labels, labels in zip(moved, as_sequence(result), strict=True):
            axis_labels.append(labels)
    if name in ("slice", "select", *SPLITS):
        for labels in (labels for part in moved for labels in part):
            flow.note_slice(labels)
    if name in SPLITS:
        _keep_parts_even(flow, [axis_labels[0] for axis_labels in moved])
    if name in ("channel_shuffle", "native_channel_shuffle") and most == 1:
        _keep_parts_even(flow, list(flow.labels_of(args[0])[0].chunk(args[1], 1)))
    if name == "pixel_shuffle" and most == 1:
        moved = [[_keep_together(flow, moved[0][0])]]
    if name in VIEWS and most == 1:
        moved = [[_viewed(flow, flow.labels_of(args[0])[0], moved[0][0])]]
    return moved


def _labels_along(flow: Flow, number: int, x: Any) -> Any:
    """The labels along one axis of a parameter, or the only ones of an activation."""
    if isinstance(x, list | tuple):
        return [_labels_along(flow, number, one) for one in x]
    if not isinstance(x, Tensor):
        return x
    axis_labels = flow.labels_of(x)
    return axis_labels[min(number, len(axis_labels) - 1)]


def _move(
    operator: Any, first: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> Any:
    """What an operator makes of labels: `first`, in the place of its first argument."""
    name, rest = operator.overloadpacket.__name__.removesuffix("_"), list(args[1:])
    if isinstance(first, Tensor) and first.numel() > core(first).numel() == 1:
        one = core(first).reshape(())
        if isinstance(output, Tensor):
            return one.expand(output.shape)
        return [one.expand(made.shape) for made in output]
    if name in COPIES:
        return core(first).clone().expand(first.shape)
    if name in VIEWS:  # labels need not lie in memory as the activation does
        return compact(first.reshape(output.shape))
    if name == "im2col":
        return (operator((first + 3).double(), *rest).round().long() - 3).clamp(min=NONE)
    # What is moved in place has new labels: other tensors may have these, too.
    moving = getattr(torch.ops.aten, name)
    if name in ("flip", "roll"):  # moving along an axis that is expanded changes nothing
        return moving(core(first), *rest).expand(first.shape)
    return moving(first, *rest, **kwargs)


def narrowed(labels: Tensor, axes: Sequence[int]) -> Tensor:
    """Cut axes to length one."""
    for axis in axes:
        labels = labels.narrow(axis, 0, min(1, labels.shape[axis]))
    return labels


@rule("copy")
def written(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """What is written takes the place of what was there."""
    return [[labels.expand(output.shape) for labels in flow.labels_of(args[1])[:1]]]


def _keep_parts_even(flow: Flow, parts: list[Tensor]) -> None:
    """Equal parts stay equal: what goes from one goes from all."""
    if len({part.shape for part in parts}) == 1 and any(
        not torch.equal(core(part), core(parts[0])) for part in parts
    ):
        for part in parts[1:]:
            flow.couple(parts[0], part)


def _keep_together(flow: Flow, after: Tensor) -> Tensor:
    """Channels that become the positions of one: without any of them the rest would not fill it."""
    one = merged(after, [after.dim() - 2, after.dim() - 1])
    flow.couple(after, one)
    return one.expand(after.shape)


def _viewed(flow: Flow, before: Tensor, after: Tensor) -> Tensor:
    """A view that splits a channel axis: what goes from one part goes from all.

    The one of the parts' axes gets shorter whose length the code counts, or else leaves open; or
    the last, where it says nothing.
    """
    axes = sorted(varying(after, after.dim()))
    split = len(axes) - max(1, len(varying(before, before.dim()))) if len(axes) > 1 else 0
    if split > 0:
        openly = [axis for axis in axes if axis in flow.open_axes]
        open_axis = openly[0] if len(openly) == 1 else axes[-1]
        for axis in [axis for axis in axes if axis != open_axis][:split]:
            first = after.narrow(axis, 0, 1)
            flow.couple(after, first)
            after = first.expand(after.shape)
            axes.remove(axis)
    flow.view_shapes.append((tuple(after.shape), set(axes)))
    return after
