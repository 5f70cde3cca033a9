"""Rules for operators that combine positions."""

from collections.abc import Sequence
from typing import Any

from stages.dependency.flow import Flow, as_sequence
from stages.dependency.labels import AxisLabels, merged, varying
from stages.dependency.rules.registry import named_arguments, rule, unlabelled, without_rule


@rule("mean", "sum", "amax", "amin", "var", "std", "linalg_vector_norm", "max", "min", "var_mean",
      "logsumexp", "any", "all", "prod", "norm", "median", "nanmedian", "mode", "kthvalue",
      "aminmax")  # fmt: skip
def reduction(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Labels merge over the axes that are combined."""
    flow.constants.append((operator,))
    outputs = as_sequence(output)
    dims, rank = named_arguments(operator, args, kwargs).get("dim"), args[0].dim()
    axes = [dims] if isinstance(dims, int) else list(dims or range(rank))
    axis_labels = []
    for labels in flow.labels_of(args[0]):
        one = merged(labels, [axis % rank for axis in axes])
        flow.couple(labels, one)
        shape = [
            1 if axis in {a % rank for a in axes} else n for axis, n in enumerate(labels.shape)
        ]
        axis_labels.append(one.expand(shape).reshape(outputs[0].shape))
    return [axis_labels] * len(outputs)


@rule("_softmax", "_log_softmax", "_safe_softmax", "cumsum", "cummax", "cummin", "logcumsumexp",
      "sort", "topk")  # fmt: skip
def along_one_axis(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """What goes into one sum or order goes together; positions carry one label anyway."""
    labels, dim = flow.labels_of(args[0])[0], named_arguments(operator, args, kwargs)["dim"]
    flow.constants.append((operator, *(a for a in args if type(a) is int)))  # such as how many
    one = merged(labels, [dim % labels.dim()]) if labels.dim() else labels
    flow.couple(labels, one)
    outputs = as_sequence(output)
    same = labels.shape == outputs[0].shape
    return [[labels if same else one.expand(outputs[0].shape)] for _ in outputs]


@rule("argmax", "argmin")
def numbered(
    flow: Flow, operator: Any, args: Sequence[Any], kwargs: dict[str, Any], output: Any
) -> list[AxisLabels]:
    """Positions keep their numbers; channels do not, once some are gone."""
    labels, dim = flow.labels_of(args[0])[0], args[1] if len(args) > 1 else None
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
) -> list[AxisLabels]:
    """Pooling and interpolation: labels merge over the positions of a channel."""
    flow.constants.append((operator,))
    outputs = as_sequence(output)
    labels = flow.labels_of(args[0])[0]
    spatial = list(range(2, labels.dim()))
    if not spatial or labels.shape[:2] != outputs[0].shape[:2]:
        return without_rule(flow, operator, args, kwargs, output)
    one = merged(labels, spatial)
    flow.couple(labels, one)
    flat = one.reshape([n if axis < 2 else 1 for axis, n in enumerate(one.shape)])
    rest = unlabelled(flow, operator, args, kwargs, outputs[1:])
    return [[flat.expand(outputs[0].shape)], *rest]
