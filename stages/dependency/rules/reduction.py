"""Rules for operators that combine positions, and for normalisation."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stages.dependency.flow import Facets, Flow, several
from stages.dependency.labels import core, merged, varying
from stages.dependency.rules.registry import rule, unlabelled, without_rule


@rule("mean", "sum", "amax", "amin", "var", "std", "linalg_vector_norm", "max", "min", "var_mean",
      "logsumexp", "any", "all", "prod", "norm")  # fmt: skip
def reduction(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Labels merge over the axes that are combined."""
    flow.constants.append((operator,))
    outputs = several(output)
    given = operator._schema.arguments
    named = dict(zip([a.name for a in given], args, strict=False)) | kwargs
    dims, rank = named.get("dim"), args[0].dim()
    axes = [dims] if isinstance(dims, int) else list(dims or range(rank))
    facets = []
    for facet in flow.facets(args[0]):
        one = merged(facet, [axis % rank for axis in axes])
        flow.couple(facet, one)
        shape = [1 if axis in {a % rank for a in axes} else n for axis, n in enumerate(facet.shape)]
        facets.append(one.expand(shape).reshape(outputs[0].shape))
    return [facets] * len(outputs)


@rule("_softmax", "_log_softmax", "_safe_softmax", "cumsum", "sort")
def along_one_axis(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """What goes into one sum goes together; positions carry one label anyway."""
    labels = flow.facets(args[0])[0]
    flow.couple(labels, merged(labels, [args[1] % labels.dim()]))
    return [[labels] for _ in several(output)]


@rule("argmax", "argmin")
def numbered(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Positions keep their numbers; channels do not, once some are gone."""
    labels, dim = flow.facets(args[0])[0], args[1] if len(args) > 1 else None
    channels = varying(labels, labels.dim())
    if dim is None or dim % labels.dim() in channels:
        flow.freeze(labels, "it is picked by its number")
    return unlabelled(flow, operator, args, kwargs, output)


@rule("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "max_pool3d_with_indices",
      "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_max_pool2d",
      "adaptive_max_pool1d", "adaptive_max_pool3d", "max_pool1d_with_indices",
      "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "upsample_nearest1d", "upsample_nearest2d",
      "upsample_nearest3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
      "_upsample_nearest_exact3d", "upsample_linear1d", "upsample_bilinear2d",
      "upsample_bicubic2d", "upsample_trilinear3d", "_upsample_bilinear2d_aa",
      "_upsample_bicubic2d_aa", "grid_sampler_2d", "grid_sampler_3d", "cudnn_grid_sampler",
      "fractional_max_pool2d")  # fmt: skip
def neighbourhood(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Pooling and interpolation: labels merge over the positions of a channel."""
    flow.constants.append((operator,))
    outputs = several(output)
    labels = flow.facets(args[0])[0]
    spatial = list(range(2, labels.dim()))
    if not spatial or labels.shape[:2] != outputs[0].shape[:2]:
        return without_rule(flow, operator, args, kwargs, output)
    one = merged(labels, spatial)
    flow.couple(labels, one)
    flat = one.reshape([n if axis < 2 else 1 for axis, n in enumerate(one.shape)])
    rest = unlabelled(flow, operator, args, kwargs, outputs[1:])
    return [[flat.expand(outputs[0].shape)], *rest]


@rule("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
      "_native_batch_norm_legit", "_native_batch_norm_legit_functional",
      "_batch_norm_with_update", "_batch_norm_no_update", "miopen_batch_norm")  # fmt: skip
def batch_norm(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Parameters and running statistics go with their channel."""
    labels = flow.facets(args[0])[0]
    _couple_along(flow, labels, args[1:5], axis=1)
    return [[labels], *unlabelled(flow, operator, args, kwargs, several(output)[1:])]


@rule("native_layer_norm", "_fused_rms_norm")
def layer_norm(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """Parameters go with their channel; the statistics are then those of the channels left."""
    labels, normalised = flow.facets(args[0])[0], len(args[1])
    first = labels.dim() - normalised
    parameters = [a for a in (*args[2:4], kwargs.get("weight")) if isinstance(a, Tensor)]
    if not parameters and max(varying(labels, labels.dim()), default=-1) >= first:
        flow.freeze(labels, "a normalisation without parameters runs over it")
    # Where a single channel is left, labels differ nowhere, and any axis may be that of channels.
    axes = varying(labels, labels.dim()) or set(range(labels.dim()))
    for parameter in parameters:
        for axis, facet in enumerate(flow.facets(parameter)[:normalised]):
            if first + axis in axes:
                flow.couple(labels, facet)
            else:
                flow.freeze(facet, "a normalisation runs over positions")
    return [[labels], *unlabelled(flow, operator, args, kwargs, several(output)[1:])]


@rule("native_group_norm")
def group_norm(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[Facets]:
    """All groups keep equal numbers of channels; where each has a single one, groups go."""
    labels, weight, groups = flow.facets(args[0])[0], args[1], args[6]
    rest = unlabelled(flow, operator, args, kwargs, several(output)[1:])
    if not isinstance(weight, Tensor):
        flow.freeze(labels, "a normalisation without parameters runs over it")
        return [[labels], *rest]
    _couple_along(flow, labels, args[1:3], axis=1)
    if 1 < groups < labels.shape[1]:
        flow.keep_even(flow.facets(weight)[0], groups)
    return [[labels], *rest]


def _couple_along(flow: Flow, labels: Tensor, parameters: Sequence[Any], axis: int) -> None:
    shape = [-1 if other == axis else 1 for other in range(labels.dim())]
    facets = [core(flow.facets(p)[0]).view(shape) for p in parameters if isinstance(p, Tensor)]
    if facets:
        flow.couple(labels[None], torch.stack(facets))
