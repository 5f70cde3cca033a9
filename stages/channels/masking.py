"""Silencing units instead of removing them: what the smaller network must be equal to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from stages.dependency.graph import READS, Graph, Removed
from stages.networks.indices import RemovedIndices, kept_of

NORMALISATIONS: Mapping[Callable[..., Tensor], tuple[str, ...]] = {
    functional.layer_norm: ("input", "normalized_shape", "weight", "bias", "eps"),
    functional.rms_norm: ("input", "normalized_shape", "weight", "eps"),
    functional.group_norm: ("input", "num_groups", "weight", "bias", "eps"),
}


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
        arguments = dict(zip(names or (), args, strict=False)) | (kwargs or {})
        kept = self.kept.get(id(arguments.get("weight")))
        if names is None or not kept:
            return func(*args, **(kwargs or {}))
        x = arguments["input"]
        first = 1 if func is functional.group_norm else x.dim() - arguments["weight"].dim()
        for name in ("weight", "bias"):
            if isinstance(arguments.get(name), Tensor):
                arguments[name] = _cut(arguments[name], kept)
        small = _cut(x, {first + axis: index for axis, index in kept.items()})
        if "normalized_shape" in arguments:
            arguments["normalized_shape"] = arguments["weight"].shape
        elif arguments["num_groups"] == x.shape[1]:
            arguments["num_groups"] = small.shape[1]
        result = func(**(arguments | {"input": small}))
        for axis, index in kept.items():
            shape = [x.shape[a] if a == first + axis else n for a, n in enumerate(result.shape)]
            result = result.new_zeros(shape).index_copy(first + axis, index, result)
        return result


def _cut(tensor: Tensor, kept: Mapping[int, Tensor]) -> Tensor:
    for axis, index in kept.items():
        tensor = tensor.index_select(axis, index)
    return tensor
