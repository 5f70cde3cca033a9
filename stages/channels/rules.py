"""What each kind of ATen operator does to labels. An operator without a rule freezes its inputs.

A rule takes (flow, operator, args, kwargs, output) and returns the facets of each output.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from stages.channels.flow import Facets, Flow, Rule
from stages.channels.nodes import NONE

RULES: dict[str, Rule] = {}
VIEWS = ("view", "_unsafe_view", "reshape", "_reshape_alias")
PADS = {"im2col": 4, "constant_pad_nd": 1}  # how many arguments follow; the padding value does not


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for ATen operators, by name without overload."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def rule_for(operator: Any) -> Rule:
    """Find an operator's rule; only what ATen itself tags as element-wise is taken to be so."""
    name = operator.overloadpacket.__name__
    if name in RULES:
        return RULES[name]
    if torch.Tag.pointwise in operator.tags:
        return elementwise
    return without_rule


def without_rule(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Freeze all that comes in; what goes out has no labels."""
    for tensor in _tensors([args, kwargs]):
        for facet in flow.facets(tensor):
            flow.freeze(facet, f"operator {operator.overloadpacket.__name__} has no rule")
    return unlabelled(flow, operator, args, kwargs, output)


@rule("zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_empty",
      "new_full", "rand_like", "randn_like")  # fmt: skip
def unlabelled(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Only the shape of the input matters."""
    outputs = output if isinstance(output, list | tuple) else [output]
    return [[torch.full(t.shape, NONE)] if isinstance(t, Tensor) else [] for t in outputs]


@rule("_prelu_kernel", "native_dropout", "hardswish", "hardswish_", "rrelu_with_noise")
def elementwise(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Labels that meet are coupled, parameters included (bias, scale, PReLU)."""
    operands = [tensor for tensor in _tensors([args, kwargs]) if tensor.dim() > 0]
    result = output[0] if isinstance(output, list | tuple) else output
    rank, facets = result.dim(), {id(t): flow.facets(t) for t in operands}
    carriers = [f for t in operands for f in facets[id(t)] if len(facets[id(t)]) == 1]
    channels = set().union(*(varying(f, rank) for f in carriers)) if carriers else set()
    met = torch.full(result.shape, NONE)
    for tensor in operands:
        wide = {axis + rank - tensor.dim() for axis, n in enumerate(tensor.shape) if n > 1}
        for facet in facets[id(tensor)]:
            if len(facets[id(tensor)]) > 1 and varying(facet, rank) != channels:
                flow.freeze(facet, "a parameter meets an activation along another axis")
            elif not channels <= wide:
                flow.freeze(facet, "it is broadcast over other channels")
            elif (facet == NONE).all():
                for carrier in carriers:
                    flow.freeze(carrier, "it meets a tensor of fixed size")
            else:
                flow.couple(met, facet)
                met = torch.where(met == NONE, facet, met)
    return [[met]]


@rule("view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t", "cat",
      "stack", "slice", "select", "unbind", "squeeze", "unsqueeze", "expand", "repeat", "clone",
      "contiguous", "detach", "alias", "lift_fresh", "flip", "roll", "pixel_shuffle", "index",
      "pixel_unshuffle", "native_channel_shuffle", "channel_shuffle", "unfold", "im2col",
      "index_select", "reflection_pad1d", "reflection_pad2d", "replication_pad1d",
      "replication_pad2d", "constant_pad_nd", "copy_", "_to_copy", "split",
      "split_with_sizes")  # fmt: skip
def movement(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Apply the operator to the labels themselves."""
    name = operator.overloadpacket.__name__
    sources = _tensors(args[0] if name != "copy_" else args[1])
    most = max((len(flow.facets(tensor)) for tensor in sources), default=1)
    several = isinstance(output, list | tuple)
    moved: list[Facets] = [[] for _ in (output if several else [output])]
    for number in range(most):
        result = _move(flow, operator, name, args, number)
        for facets, labels in zip(moved, result if several else [result], strict=True):
            facets.append(labels)
    if name in ("split", "split_with_sizes", "unbind"):
        _keep_parts_even(flow, [facets[0] for facets in moved])
    if name in VIEWS and most == 1:
        moved = [[_keep_split_even(flow, flow.facets(args[0])[0], moved[0][0])]]
    return moved


def _move(flow: Flow, operator: Any, name: str, args: Sequence[Any], number: int) -> Any:
    def labels(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        facets = flow.facets(leaf)
        return facets[min(number, len(facets) - 1)]

    if name == "_to_copy":
        return labels(args[0]).clone()
    if name == "copy_":
        return labels(args[1]).expand(args[0].shape)
    first, rest = tree_map(labels, args[0]), list(args[1:])
    if name in VIEWS:  # labels need not lie in memory as the activation does
        return first.reshape(args[1])
    if name in PADS:  # what pads is zero, so labels are moved up for NONE to be zero
        padded = operator((first + 1).double(), *rest[: PADS[name]])
        return padded.round().long() - 1
    try:
        return operator(first, *rest)
    except (RuntimeError, NotImplementedError):  # not for integers: labels are exact as float64
        result = operator(_each(first, Tensor.double), *rest)
        return _each(result, lambda tensor: tensor.round().long())


def _each(tree: Any, function: Callable[[Tensor], Tensor]) -> Any:
    return tree_map(lambda leaf: function(leaf) if isinstance(leaf, Tensor) else leaf, tree)


def _keep_parts_even(flow: Flow, parts: list[Tensor]) -> None:
    """Equal parts stay equal: what goes from one goes from all."""
    if len({part.shape for part in parts}) == 1 and any(
        not bool((p == parts[0]).all()) for p in parts
    ):
        for part in parts[1:]:
            flow.couple(parts[0], part)


def _keep_split_even(flow: Flow, before: Tensor, after: Tensor) -> Tensor:
    """A view that splits a channel axis: what goes from one part goes from all."""
    axes = sorted(varying(after, after.dim()))
    for axis in axes[: len(axes) - max(1, len(varying(before, before.dim())))]:
        first = after.narrow(axis, 0, 1)
        flow.couple(after, first)
        after = first.expand(after.shape).clone()
    return after


@rule("mean", "sum", "amax", "amin", "var", "std", "linalg_vector_norm")
def reduction(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Labels merge over the axes that are combined."""
    given = operator._schema.arguments
    named = dict(zip([a.name for a in given], args, strict=False)) | kwargs
    dims = named.get("dim")
    axes = [dims] if isinstance(dims, int) else list(dims or range(args[0].dim()))
    facets = []
    for facet in flow.facets(args[0]):
        merged = facet.amax(dim=axes, keepdim=True)
        flow.couple(facet, merged)
        facets.append(merged.reshape(output.shape))
    return [facets]


@rule("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "max_pool3d_with_indices",
      "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_max_pool2d",
      "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "upsample_nearest1d", "upsample_nearest2d",
      "_upsample_nearest_exact2d", "upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d",
      "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")  # fmt: skip
def neighbourhood(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Pooling and interpolation: labels merge over the positions of a channel."""
    outputs = list(output) if isinstance(output, list | tuple) else [output]
    labels = flow.facets(args[0])[0]
    spatial = list(range(2, labels.dim()))
    if not spatial or labels.shape[:2] != outputs[0].shape[:2]:
        return without_rule(flow, operator, args, kwargs, output)
    merged = labels.amax(dim=spatial, keepdim=True)
    flow.couple(labels, merged)
    rest = unlabelled(flow, operator, args, kwargs, outputs[1:])
    return [[merged.expand(outputs[0].shape).clone()], *rest]


@rule("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
      "batch_norm", "_native_batch_norm_legit")  # fmt: skip
def batch_norm(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Parameters and running statistics go with their channel."""
    labels = flow.facets(args[0])[0]
    shape = [1, labels.shape[1], *[1] * (labels.dim() - 2)]
    for parameter in args[1:5]:
        if isinstance(parameter, Tensor):
            flow.couple(labels, flow.facets(parameter)[0].view(shape))
    outputs = list(output) if isinstance(output, list | tuple) else [output]
    return [[labels], *unlabelled(flow, operator, args, kwargs, outputs[1:])]


def varying(labels: Tensor, rank: int) -> set[int]:
    """The axes along which nodes differ, counted in a broadcast result of `rank` axes."""
    # An axis that was expanded holds one label: looking at its first is enough (and far faster).
    labels = labels[tuple(slice(0, 1) if step == 0 else slice(None) for step in labels.stride())]
    offset, known = rank - labels.dim(), labels != NONE
    lowest = labels.where(known, torch.iinfo(labels.dtype).max)
    return {
        axis + offset
        for axis, length in enumerate(labels.shape)
        if length > 1 and bool((lowest.amin(axis) < labels.amax(axis)).any())
    }


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
