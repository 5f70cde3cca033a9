"""What each kind of ATen operator does to labels. An operator without a rule freezes its inputs.

A rule takes (flow, operator, args, kwargs, output) and returns the axis labels of each output.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Flow, Rule, as_sequence
from stages.dependency.labels import NONE, UNIFORM, AxisLabels, filled

RULES: dict[str, Rule] = {}
ANOTHER_AXIS = "a parameter meets an activation along another axis"


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for ATen operators, by name without overload."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


@cache
def rule_for(operator: Any) -> Rule:
    """Find an operator's rule; only what ATen itself tags as element-wise is taken to be so.

    An operator in place (`relu_`) has the rule of the one that is not.
    """
    name = operator.overloadpacket.__name__
    plain = name.removesuffix("_") if operator.namespace == "aten" else name
    for known in (name, plain):
        if known in RULES:
            return _guarded(RULES[known])
    packet = getattr(torch.ops.aten, plain, operator.overloadpacket)
    forms = [operator, *(getattr(packet, overload) for overload in packet.overloads())]
    if any(torch.Tag.pointwise in form.tags for form in forms):
        return _guarded(RULES["pointwise"])
    return without_rule


def _guarded(known: Rule) -> Rule:
    """A rule that freezes what an operator touches in a form that the rule was not made for.

    Were it to raise, the user's network would be told not to run.
    """

    def guarded(
        flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
    ) -> list[AxisLabels]:
        try:
            return known(flow, operator, args, kwargs, output)
        except Exception:  # whatever a form that is not known may lead to
            name = operator.overloadpacket.__name__
            reason = f"operator {name} has no rule for how it is called"
            return without_rule(flow, operator, args, kwargs, output, reason)

    return guarded


def named_arguments(operator: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an operator by name; those that are not given have their defaults."""
    schema = operator._schema.arguments
    defaults = {one.name: one.default_value for one in schema if one.has_default_value()}
    names = [one.name for one in schema]
    return defaults | dict(zip(names, args, strict=False)) | kwargs


def without_rule(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any,
    reason: str = "",
) -> list[AxisLabels]:  # fmt: skip
    """Freeze all that comes in; what goes out has no labels."""
    for tensor in tensors_in([args, kwargs]):
        for labels in flow.labels_of(tensor):
            name = operator.overloadpacket.__name__
            flow.freeze(labels, reason or f"operator {name} has no rule")
    return unlabelled(flow, operator, args, kwargs, output)


def unlabelled(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Only the shape of the input matters."""
    return [[filled(t.shape, NONE)] if isinstance(t, Tensor) else [] for t in as_sequence(output)]


@rule("zeros", "ones", "full", "empty", "zeros_like", "ones_like", "empty_like", "full_like",
      "new_zeros", "new_ones", "new_empty", "new_full", "fill", "zero", "scalar_tensor", "rand",
      "randn", "rand_like", "randn_like", "bernoulli", "uniform", "normal")  # fmt: skip
def uniform(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """The same number everywhere, or noise. Room for every label: slices may be written into."""
    flow.constants += [(operator, a) for a in args if type(a) is int]
    if operator.overloadpacket.__name__.endswith("_"):
        return [flow.labels_of(args[0])]
    return [[torch.full(output.shape, UNIFORM)]]


def tensors_in(tree: Any) -> list[Tensor]:
    """All tensors among arguments, which are nested in lists, tuples and dictionaries alone.

    It is called for every operator: PyTorch's own function for trees is several times slower.
    """
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return []
    return [tensor for branch in tree for tensor in tensors_in(branch)]
