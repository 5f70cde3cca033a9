"""Rules for normalisation."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Flow, as_sequence
from stages.dependency.labels import AxisLabels, core, varying
from stages.dependency.rules.registry import rule, unlabelled


@rule("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
      "_native_batch_norm_legit", "_native_batch_norm_legit_functional",
      "_batch_norm_with_update", "_batch_norm_no_update", "miopen_batch_norm")  # fmt: skip
def batch_norm(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Parameters and running statistics go with their channel."""
    labels = flow.labels_of(args[0])[0]
    _couple_along(flow, labels, args[1:5], axis=1)
    return [[labels], *unlabelled(flow, operator, args, kwargs, as_sequence(output)[1:])]


@rule("native_layer_norm", "_fused_rms_norm")
def layer_norm(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Parameters go with their channel; the statistics are then those of the channels left."""
    labels, normalised = flow.labels_of(args[0])[0], len(args[1])
    first = labels.dim() - normalised
    parameters = [a for a in (*args[2:4], kwargs.get("weight")) if isinstance(a, Tensor)]
    if not parameters and max(varying(labels, labels.dim()), default=-1) >= first:
        flow.freeze(labels, "a normalisation without parameters runs over it")
    # Where a single channel is left, labels differ nowhere, and any axis may be that of channels.
    axes = varying(labels, labels.dim()) or set(range(labels.dim()))
    for parameter in parameters:
        for axis, own in enumerate(flow.labels_of(parameter)[:normalised]):
            if first + axis in axes:
                flow.couple(labels, own)
            else:
                flow.freeze(own, "a normalisation runs over positions")
    return [[labels], *unlabelled(flow, operator, args, kwargs, as_sequence(output)[1:])]


@rule("native_group_norm")
def group_norm(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """All groups keep equal numbers of channels; where each has a single one, groups go."""
    labels, weight, groups = flow.labels_of(args[0])[0], args[1], args[6]
    rest = unlabelled(flow, operator, args, kwargs, as_sequence(output)[1:])
    if not isinstance(weight, Tensor):
        flow.freeze(labels, "a normalisation without parameters runs over it")
        return [[labels], *rest]
    _couple_along(flow, labels, args[1:3], axis=1)
    if 1 < groups < labels.shape[1]:
        flow.keep_even(flow.labels_of(weight)[0], groups)
    return [[labels], *rest]


def _couple_along(flow: Flow, labels: Tensor, parameters: Sequence[Any], axis: int) -> None:
    shape = [-1 if other == axis else 1 for other in range(labels.dim())]
    own = [core(flow.labels_of(p)[0]).view(shape) for p in parameters if isinstance(p, Tensor)]
    if own:
        flow.couple(labels[None], torch.stack(own))
