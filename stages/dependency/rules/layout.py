"""The rule for operators that move elements: they are applied to the labels themselves."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from stages.dependency.flow import Facets, Flow, several
from stages.dependency.labels import NONE, compact, core, merged, varying
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
) -> list[Facets]:
    """Apply the operator to the labels."""
    name = operator.overloadpacket.__name__.removesuffix("_")
    most = max(len(flow.facets(tensor)) for tensor in tensors_in(args[0]))
    moved: list[Facets] = [[] for _ in several(output)]
    for number in range(most):
        first = tree_map(partial(_facet, flow, number), args[0])
        result = _move(operator, first, args, kwargs, output)
        for facets, facet in zip(moved, several(result), strict=True):
            facets.append(facet)
    if name in ("slice", "select", *SPLITS):
        for facet in (facet for part in moved for facet in part):
            flow.cut(facet)
    if name in SPLITS:
        _keep_parts_even(flow, [facets[0] for facets in moved])
    if name in ("channel_shuffle", "native_channel_shuffle") and most == 1:
        _keep_parts_even(flow, list(flow.facets(args[0])[0].chunk(args[1], 1)))
    if name == "pixel_shuffle" and most == 1:
        moved = [[_keep_together(flow, moved[0][0])]]
    if name in VIEWS and most == 1:
        moved = [[_viewed(flow, flow.facets(args[0])[0], moved[0][0], list(args[1]))]]
    return moved


def _facet(flow: Flow, number: int, leaf: Any) -> Any:
    """The labels along one axis of a parameter, or the only ones of an activation."""
    if not isinstance(leaf, Tensor):
        return leaf
    facets = flow.facets(leaf)
    return facets[min(number, len(facets) - 1)]


def _move(
    operator: Any, first: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> Any:
    """What an operator makes of labels: `first`, in the place of its first argument."""
    name, rest = operator.overloadpacket.__name__.removesuffix("_"), list(args[1:])
    if isinstance(first, Tensor) and first.numel() > core(first).numel() == 1:
        one = core(first).reshape(())
        return tree_map(lambda made: one.expand(made.shape), output)
    if name in COPIES:
        return core(first).clone().expand(first.shape)
    if name in VIEWS:  # labels need not lie in memory as the activation does
        return compact(first.reshape(output.shape))
    if name == "im2col":
        return (operator((first + 3).double(), *rest).round().long() - 3).clamp(min=NONE)
    if name in ("flip", "roll"):  # moving along an axis that is expanded changes nothing
        return operator.overloadpacket(core(first), *rest).expand(first.shape)
    return operator.overloadpacket(first, *rest, **kwargs)


def narrowed(labels: Tensor, axes: Sequence[int]) -> Tensor:
    """Cut axes to length one."""
    for axis in axes:
        labels = labels.narrow(axis, 0, min(1, labels.shape[axis]))
    return labels


@rule("copy")
def written(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """What is written takes the place of what was there."""
    return [[facet.expand(output.shape) for facet in flow.facets(args[1])[:1]]]


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


def _viewed(flow: Flow, before: Tensor, after: Tensor, sizes: list[int]) -> Tensor:
    """A view that splits a channel axis: what goes from one part goes from all.

    The last of the parts' axes gets shorter, unless the code leaves the length of another open.
    """
    axes = sorted(varying(after, after.dim()))
    split = len(axes) - max(1, len(varying(before, before.dim()))) if len(axes) > 1 else 0
    if split > 0:
        openly = (axis for axis in axes if axis < len(sizes) and sizes[axis] == -1)
        open_axis = next(openly, axes[-1])
        for axis in [axis for axis in axes if axis != open_axis][:split]:
            first = after.narrow(axis, 0, 1)
            flow.couple(after, first)
            after = first.expand(after.shape)
            axes.remove(axis)
    flow.views.append((tuple(after.shape), set(axes)))
    return after
