"""Which layers of a smaller network can be repaired, and which outputs each has kept."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from stages.contractions.calls import Call, Layer, Weights
from stages.contractions.matrices import as_matrices, from_matrices
from stages.contractions.running import all_calls
from stages.dependency.graph import READS, Graph, Removed, removed_indices
from stages.networks.indices import Indices, RemovedIndices, kept_of

RECURRENT = "a recurrent layer: its inputs depend on what it gave before"
SHARED = "its weight is used in several ways"
UNSEEN = "no convolution or linear layer uses its weight as it is"
ORDER = "the smaller network's layers run in another order"


@dataclass(frozen=True)
class Matched:
    """A layer of the smaller network: its calls, by number, and the outputs that it has kept.

    `outputs` are channels among the larger network's, in the order of the smaller's; `bias` is
    the name of a parameter and where in it the layer's begins, if no other layer adds it.
    """

    layer: Layer
    calls: tuple[int, ...]
    outputs: Tensor
    bias: tuple[str, int] | None


def matched_layers(
    network: nn.Module, teacher: nn.Module, graph: Graph, removed: Removed, example: Tensor
) -> tuple[list[Matched], dict[str, str]]:
    """Layers in order of execution, and why others that lost inputs are left as they were cut."""
    (mine, elsewhere), (theirs, _) = all_calls(network, example), all_calls(teacher, example)
    cut = _cut_readers(graph, removed)
    if [call.layer.weight for call in mine] != [call.layer.weight for call in theirs]:
        return [], dict.fromkeys(cut, ORDER)
    numbers: dict[Layer, list[int]] = {}
    for number, call in enumerate(mine):
        numbers.setdefault(call.layer, []).append(number)
    shared = elsewhere | set(_used_twice([*numbers]))
    left = dict.fromkeys(shared, SHARED) | dict.fromkeys(_recurrent(network), RECURRENT)
    lost, biases = removed_indices(graph, removed), _own_biases(mine, Weights(network), elsewhere)
    found = [
        Matched(
            layer,
            tuple(calls),
            _kept_outputs(theirs[calls[0]].layer, layer, teacher, lost),
            biases.get(layer),
        )
        for layer, calls in numbers.items()
        if layer.weight not in left
    ]
    seen = {one.layer.weight for one in found}
    return found, {name: left.get(name, UNSEEN) for name in cut if name not in seen}


def _cut_readers(graph: Graph, removed: Removed) -> list[str]:
    """Tensors that have lost inputs."""
    touched = (group for group in graph.groups if len(removed.get(group.name, ())))
    return [*dict.fromkeys(p.tensor for group in touched for p in group.slices if p.role == READS)]


def _recurrent(network: nn.Module) -> Iterator[str]:
    for prefix, module in network.named_modules():
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):
            yield from (f"{prefix}.{name}" if prefix else name for name in module._parameters)


def _used_twice(layers: Sequence[Layer]) -> Iterator[str]:
    """Weights of which several layers use the same rows."""
    ends: Mapping[str, int] = {}
    for layer in sorted(layers, key=lambda layer: layer.start):
        if layer.start < ends.get(layer.weight, 0):
            yield layer.weight
        ends = {**ends, layer.weight: layer.start + layer.rows}


def _own_biases(
    calls: Sequence[Call], weights: Weights, elsewhere: Collection[str]
) -> dict[Layer, tuple[str, int]]:
    """Where the bias of each layer is, of those that no other layer adds."""
    places: dict[Layer, tuple[str, int]] = {}
    for call in calls:
        found = weights.find(call.bias) if call.bias is not None else None
        if found and found[0] not in elsewhere and found[1].dim() == 1:
            start = call.bias.storage_offset() - found[1].storage_offset()
            places[call.layer] = found[0], start
    several = [place for place in places.values() if [*places.values()].count(place) > 1]
    return {layer: place for layer, place in places.items() if place not in several}


def _kept_outputs(before: Layer, now: Layer, teacher: nn.Module, lost: RemovedIndices) -> Tensor:
    """Which of the outputs that a layer had before are left, in the order they are in now."""
    weight, gone = teacher.get_parameter(before.weight), lost.get(before.weight, {})
    nothing: Indices = np.empty(0, np.int64)
    left = [torch.from_numpy(kept_of(n, gone.get(a, nothing))) for a, n in enumerate(weight.shape)]
    if before.geometry is None:
        kept = left[0] - before.start
        return kept[(kept >= 0) & (kept < before.rows)]
    shape = as_matrices(weight, before.geometry).shape
    channels = torch.arange(shape[0] * shape[1]).view(*shape[:2], 1).expand(shape)
    numbered = from_matrices(channels, before.geometry, weight.shape)
    for axis, kept in enumerate(left):
        numbered = numbered.index_select(axis, kept)
    return as_matrices(numbered, now.geometry)[:, :, 0].flatten()
