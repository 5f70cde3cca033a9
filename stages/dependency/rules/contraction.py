"""Rules for operators that sum over an axis: convolution, linear layers, matrix products."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Flow
from stages.dependency.labels import NONE, AxisLabels, core, filled, nodes_in, varying
from stages.dependency.rules.registry import rule, without_rule

COMPUTED = "its weight is computed from other tensors: take parametrisations off first"
NO_LAYER = "it is multiplied with a parameter as no layer does"


@rule("convolution", "_convolution")
def convolution(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Input channels couple with the weight's input axis; its output axis labels the output.

    With groups, all groups keep equal numbers of channels; where a group has a single channel
    (depthwise), whole groups go, with all that they read and make.
    """
    inputs, weight, bias = args[:3]
    transposed, groups = args[6], args[8]
    first, second = (_along(flow, weight, axis, axis) for axis in (0, 1))
    if first is None or second is None:
        return without_rule(flow, operator, args, kwargs, output, COMPUTED)
    if groups > 1 and _one_each(flow, second):
        made, read = _depthwise(flow, first, groups, transposed)
    else:
        read, made = (first, second) if transposed else (second, first)
        if groups > 1:
            flow.keep_even(first, groups)
            read, made = (read, made.repeat(groups)) if transposed else (read.repeat(groups), made)
    return _contract(flow, flow.labels_of(inputs)[0], read, made, bias, output, axis=1)


def _one_each(flow: Flow, second: Tensor) -> bool:
    """Whether groups have a single channel as built; grouped layers may come down to one."""
    nodes = flow.labelling.nodes
    return bool(nodes.lengths[nodes.axis_of(second.numpy())[0]] == 1)


def _depthwise(flow: Flow, first: Tensor, groups: int, transposed: bool) -> tuple[Tensor, Tensor]:
    """Couple what one group holds; returns the nodes that each output and each input goes with."""
    held = first.view(groups, -1)
    flow.couple(held, held[:, :1])
    one_each = held[:, 0]
    return (one_each, first) if transposed else (first, one_each)


@rule("linear", "addmm", "mm", "_addmm_activation")
def linear(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Features couple with the weight's input axis; its output axis labels the output."""
    name = operator.overloadpacket.__name__
    if name == "linear":
        inputs, weight, bias = args[0], args[1], args[2] if len(args) > 2 else None
        read, made = _along(flow, weight, 1, 1), _along(flow, weight, 0, 0)
    else:
        bias, inputs, weight = (None, *args) if name == "mm" else args[:3]
        read, made = _along(flow, weight, 0, 1), _along(flow, weight, 1, 0)
    if name == "mm" and len(flow.labels_of(weight)) == 1:
        return product(flow, operator, args, kwargs, output)
    if read is None or made is None or (bias is not None and bias.dim() != 1):
        return without_rule(flow, operator, args, kwargs, output, COMPUTED)
    return _contract(
        flow, flow.labels_of(inputs)[0], read, made, bias, output, axis=inputs.dim() - 1
    )


def _contract(
    flow: Flow, labels: Tensor, read: Tensor, made: Tensor, bias: Any, output: Tensor, axis: int
) -> list[AxisLabels]:
    """Couple `read` with the labels along `axis`, and label the output's `axis` with `made`."""
    shape = [-1 if a == axis else 1 for a in range(labels.dim())]
    flow.couple(labels, read.view(shape))
    small = core(labels)
    others = [a for a in range(small.dim()) if a != axis]
    blank = ((small == NONE).all(dim=others) if others else small == NONE).expand(len(read))
    if bool(blank.any()):
        flow.freeze(read[blank], "it reads values that no parameter made")
    if isinstance(bias, Tensor):
        flow.couple(flow.labels_of(bias)[0], made)
    flow.note_contraction(made, read)
    return [[made.view(shape).expand(output.shape)]]


@rule("bmm", "baddbmm", "matmul", "dot", "mv")
def product(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Two activations: what they sum over couples; the output has the labels of what is left."""
    if operator.overloadpacket.__name__ == "baddbmm":
        flow.freeze(flow.labels_of(args[0])[0], "it is added to a product")
        args = args[1:]
    one, other = (flow.labels_of(tensor)[0] for tensor in args[:2])
    if one.dim() < 2 or one.dim() != other.dim():
        return without_rule(flow, operator, args, kwargs, output)
    if any(len(flow.labels_of(tensor)) > 1 for tensor in args[:2]):
        return without_rule(flow, operator, args, kwargs, output, NO_LAYER)
    rank = one.dim()
    rows, columns = varying(one, rank), varying(other, rank)
    if (rows | columns) and max(rows | columns) < rank - 2:  # such as heads of attention
        return [[_couple_batch(flow, one, other).expand(output.shape)]]
    summed, facing = one.select(-1, 0), other.select(-2, 0)
    if rank - 1 in rows or rank - 2 in columns:
        _couple_summed(flow, one, other)
    left = rank - 2 in rows, rank - 1 in columns
    if all(left):
        for labels in (one, other):
            flow.freeze(labels, "it is multiplied with other channels")
    if any(left) and not all(left):
        kept = summed.unsqueeze(-1) if left[0] else facing.unsqueeze(-2)
        return [[kept.expand(output.shape)]]
    return [[filled(output.shape, NONE)]]


def _couple_batch(flow: Flow, one: Tensor, other: Tensor) -> Tensor:
    """Channels that only number the products: both sides have them; returns their labels."""
    first, second = one[..., :1, :1], other[..., :1, :1]
    _couple_both(flow, first, second)
    return first.where(first >= 0, second)


def _couple_summed(flow: Flow, one: Tensor, other: Tensor) -> None:
    """Channels that are summed over: both sides have them, and they end there."""
    first, second = one.select(-2, 0), other.select(-1, 0)
    for labels in (first, second):
        flow.note_contraction(None, torch.from_numpy(nodes_in(labels)))
    _couple_both(flow, first, second)


def _couple_both(flow: Flow, first: Tensor, second: Tensor) -> None:
    """Couple; where one side has no labels at all, the other cannot get shorter."""
    flow.couple(first, second)
    for labels, facing in ((first, second), (second, first)):
        if bool((core(facing) < 0).all()):
            flow.freeze(labels, "it is multiplied with a tensor of fixed size")


def _along(flow: Flow, weight: Tensor, axis: int, own: int) -> Tensor | None:
    """The nodes of a parameter's axis, wherever it was moved; None if it is no plain parameter.

    `own` is which of its own axes it should be: what cannot be told from an axis of length one.
    """
    axis_labels, rank = flow.labels_of(weight), weight.dim()
    name = flow.labelling.names.get(id(weight))
    if name is not None:
        return flow.labelling.along(name, axis)
    if len(axis_labels) != rank:
        return None
    if not weight.numel():  # a layer of no channels: what its labels were expanded from
        length, one = weight.shape[axis], axis_labels[own]
        return one.as_strided((length,), (one.stride(axis),), one.storage_offset())
    varies_along = {axis} if weight.shape[axis] > 1 else set()
    fitting = [
        labels
        for labels in (axis_labels[own], *axis_labels)
        if varying(labels, rank) == varies_along
    ]
    if not fitting:
        return None
    index = [slice(None) if a == axis else slice(0, 1) for a in range(rank)]
    return fitting[0][tuple(index)].reshape(-1)
