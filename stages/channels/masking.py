"""Silencing units instead of removing them: what the smaller network must be equal to."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from stages.channels.removal import remove_channels
from stages.dependency.graph import READS, Graph, Removed, removed_indices
from stages.dependency.tracing import tensors_of
from stages.networks.reshape import RemovedIndices, kept_of

TOLERANCE = 1e-5  # relative, float32


def masking_error(network: nn.Module, example: Tensor, graph: Graph, removed: Removed) -> float:
    """Relative error of the network without the units against the network with them masked.

    Where a normalisation runs over channels, the masked network takes its statistics over those
    that are kept, as the smaller one does.

    Raises:
        RuntimeError: if it does not run, or gives another shape.
    """
    pruned, masked = copy.deepcopy(network).eval(), copy.deepcopy(network).eval()
    remove_channels(pruned, graph, removed)
    mask_channels(masked, graph, removed)
    with torch.no_grad():
        given = tensors_of(pruned(example))
        with kept_statistics(masked, removed_indices(graph, removed)):
            wanted = tensors_of(masked(example))
    pairs = list(zip(given, wanted, strict=True))
    for one, other in pairs:
        if one.shape != other.shape:
            raise RuntimeError(f"the output is {tuple(one.shape)}, not {tuple(other.shape)}")
    return max(relative_error(one, other) for one, other in pairs)


def mask_channels(
    network: nn.Module, graph: Graph, removed: Removed, only_made: bool = False
) -> None:
    """Set all parameters of the units `removed` to zero, in place; shapes stay.

    With `only_made`, weights that read the units are left alone: what silences a unit is then
    only that nothing makes it, which needs activations that keep zero at zero.
    """
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for group in graph.groups:
            units = removed.get(group.name)
            if units is None or not len(units):
                continue
            for part in group.slices:
                if part.tensor not in parameters or (only_made and part.role == READS):
                    continue
                index = torch.from_numpy(np.unique(part.indices[units]))
                tensor = parameters[part.tensor]
                tensor.index_fill_(part.axis, index.to(tensor.device), 0.0)


def relative_error(one: Tensor, other: Tensor) -> float:
    """Largest difference of two outputs, as a share of the largest value of `other`.

    Infinite where either holds what is no finite number: that proves nothing.
    """
    error = float((one - other).abs().max()) / max(float(other.abs().max()), 1e-12)
    return error if math.isfinite(error) else math.inf


class kept_statistics(TorchFunctionMode):  # noqa: N801 (used as a function)
    """Inside of it, normalisation over channels takes the statistics of the kept ones only."""

    def __init__(self, network: nn.Module, lost: RemovedIndices):
        super().__init__()
        self.kept: dict[int, dict[int, Tensor]] = {
            id(tensor): {
                axis: torch.from_numpy(kept_of(tensor.shape[axis], gone))
                for axis, gone in lost[name].items()
            }
            for name, tensor in network.named_parameters()
            if name in lost
        }

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        names = NORMALISATIONS.get(func)
        given = dict(zip(names or (), args, strict=False)) | (kwargs or {})
        kept = self.kept.get(id(given.get("weight")))
        if names is None or not kept:
            return func(*args, **(kwargs or {}))
        x = given["input"]
        first = 1 if func is functional.group_norm else x.dim() - given["weight"].dim()
        for name in ("weight", "bias"):
            if isinstance(given.get(name), Tensor):
                given[name] = _cut(given[name], kept)
        small = _cut(x, {first + axis: index for axis, index in kept.items()})
        if "normalized_shape" in given:
            given["normalized_shape"] = given["weight"].shape
        elif given["num_groups"] == x.shape[1]:
            given["num_groups"] = small.shape[1]
        result = func(**(given | {"input": small}))
        for axis, index in kept.items():
            shape = [x.shape[a] if a == first + axis else n for a, n in enumerate(result.shape)]
            result = result.new_zeros(shape).index_copy(first + axis, index, result)
        return result


NORMALISATIONS: Mapping[Callable[..., Tensor], tuple[str, ...]] = {
    functional.layer_norm: ("input", "normalized_shape", "weight", "bias", "eps"),
    functional.rms_norm: ("input", "normalized_shape", "weight", "eps"),
    functional.group_norm: ("input", "num_groups", "weight", "bias", "eps"),
}


def _cut(tensor: Tensor, kept: Mapping[int, Tensor]) -> Tensor:
    for axis, index in kept.items():
        tensor = tensor.index_select(axis, index)
    return tensor
