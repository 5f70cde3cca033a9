"""The rule for operators that work element by element."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Facets, Flow, several
from stages.dependency.labels import NONE, UNIFORM, core, filled, varying
from stages.dependency.rules.registry import rule, tensors_in


@rule("pointwise", "_prelu_kernel", "native_dropout", "hardswish", "rrelu_with_noise", "dropout")
def elementwise(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Labels that meet are coupled, parameters included (bias, scale, PReLU)."""
    flow.constants.append((operator, *(a for a in (*args, *kwargs.values()) if type(a) is int)))
    operands = [tensor for tensor in tensors_in([args, kwargs]) if tensor.dim() > 0]
    if len(operands) == 1:
        return [flow.facets(operands[0])]
    return [[_met(flow, operands, several(output)[0])]]


@rule("glu")
def gated(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """One half of an axis is multiplied with the other."""
    labels = flow.facets(args[0])[0]
    one, other = labels.chunk(2, args[1] if len(args) > 1 else -1)
    flow.couple(one, other)
    return [[one.where(one >= 0, other)]]


def _met(flow: Flow, operands: list[Tensor], result: Tensor) -> Tensor:
    rank = result.dim()
    known = [(tensor, flow.facets(tensor)) for tensor in operands]
    carriers = [facets[0] for _, facets in known if len(facets) == 1]
    channels = set().union(*(varying(facet, rank) for facet in carriers))
    met = filled((), UNIFORM)
    for tensor, facets in known:
        wide = {axis + rank - tensor.dim() for axis, n in enumerate(tensor.shape) if n > 1}
        for facet in facets:
            small = core(facet)
            if len(facets) > 1 and varying(facet, rank) != channels:
                flow.freeze(facet, "a parameter meets an activation along another axis")
            elif bool((small == UNIFORM).all()):
                continue
            elif not channels <= wide:
                flow.freeze(facet, "it is broadcast over other channels")
            elif bool((small == NONE).all()):
                for carrier in carriers:
                    flow.freeze(carrier, "it meets a tensor of fixed size")
            else:
                flow.couple(met, small)
                met = torch.where(met < 0, small, met)
    if bool((met == UNIFORM).all()) and any(_is_fixed(facet) for facet in carriers):
        met = filled((), NONE)
    return met.expand(result.shape)


def _is_fixed(labels: Tensor) -> bool:
    return not bool((core(labels) == UNIFORM).all())
