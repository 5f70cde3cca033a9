"""Rules for operators that sum over an axis of their input: convolution and linear layers."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from stages.channels.flow import Facets, Flow
from stages.channels.nodes import NONE
from stages.channels.rules import rule, varying, without_rule


@rule("convolution", "_convolution")
def convolution(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Input channels couple with the weight's input axis; its output axis labels the output.

    With groups, all groups keep equal numbers of channels; where a group has a single channel
    (depthwise), whole groups go, with all that they read and make.
    """
    inputs, weight, bias = args[:3]
    transposed, groups = args[6], args[8]
    first, second = (_along(flow, weight, axis) for axis in (0, 1))
    if first is None or second is None:
        return without_rule(flow, operator, args, kwargs, output)
    if groups > 1 and weight.shape[1] == 1:
        made, read = _depthwise(flow, first, groups, transposed)
    else:
        read, made = (first, second) if transposed else (second, first)
        if groups > 1:
            _even(flow, first, groups)
            read, made = (read, made.repeat(groups)) if transposed else (read.repeat(groups), made)
    return _contract(flow, flow.facets(inputs)[0], read, made, bias, output, axis=1)


def _depthwise(flow: Flow, first: Tensor, groups: int, transposed: bool) -> tuple[Tensor, Tensor]:
    """Couple what one group holds; returns the nodes that each output and each input goes with."""
    held = first.view(groups, -1)
    flow.couple(held, held[:, :1])
    one_each = held[:, 0]
    return (one_each, first) if transposed else (first, one_each)


def _even(flow: Flow, nodes: Tensor, groups: int) -> None:
    parts = nodes.view(groups, -1)
    flow.couple(parts, parts[:1])


@rule("linear", "addmm", "mm")
def linear(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Features couple with the weight's input axis; its output axis labels the output."""
    name = operator.overloadpacket.__name__
    if name == "linear":
        inputs, weight, bias = args[0], args[1], args[2] if len(args) > 2 else None
        read, made = _along(flow, weight, 1), _along(flow, weight, 0)
    else:
        bias, inputs, weight = args if name == "addmm" else (None, *args)
        read, made = _along(flow, weight, 0), _along(flow, weight, 1)
    if read is None or made is None or (bias is not None and bias.dim() != 1):
        return without_rule(flow, operator, args, kwargs, output)
    return _contract(flow, flow.facets(inputs)[0], read, made, bias, output, axis=inputs.dim() - 1)


def _contract(
    flow: Flow, labels: Tensor, read: Tensor, made: Tensor, bias: Any, output: Tensor, axis: int
) -> list[Facets]:
    """Couple `read` with the labels along `axis`, and label the output's `axis` with `made`."""
    shape = [-1 if a == axis else 1 for a in range(labels.dim())]
    flow.couple(labels, read.view(shape))
    others = [a for a in range(labels.dim()) if a != axis]
    blank = (labels == NONE).all(dim=others) if others else labels == NONE
    flow.freeze(read[blank], "it reads values that no parameter made")
    if isinstance(bias, Tensor):
        flow.couple(flow.facets(bias)[0], made)
    flow.produce(made)
    flow.read(read)
    return [[made.view(shape).expand(output.shape).clone()]]


def _along(flow: Flow, weight: Tensor, axis: int) -> Tensor | None:
    """The nodes of a parameter's axis, wherever it was moved; None if it is no plain parameter."""
    facets = flow.facets(weight)
    rank = weight.dim()
    if len(facets) != rank:
        return None
    fitting = [f for f in facets if varying(f, rank) == {axis}]
    if not fitting and weight.shape[axis] == 1:
        fitting = [f for f in facets if not varying(f, rank)]
    if not fitting:
        return None
    index = [slice(None) if a == axis else 0 for a in range(rank)]
    return fitting[0][tuple(index)].reshape(-1)
