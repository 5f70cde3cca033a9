"""Repair in closed form: after removal, each layer is solved so that it gives what it gave."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from stages.contractions.calls import Layer
from stages.contractions.matrices import as_matrices, columns_of, from_matrices
from stages.contractions.refit import Repair, Teacher, refit
from stages.contractions.running import all_calls
from stages.contractions.sums import COLUMNS, ridge
from stages.contractions.used import used_layers
from stages.dependency.graph import READS, Graph, Removed, removed_indices
from stages.networks.indices import Indices, RemovedIndices, kept_of

UNSEEN = "no convolution or linear layer uses its weight as it is"
ORDER = "the smaller network's layers run in another order"


def repair_channels(
    network: nn.Module,
    teacher: nn.Module,
    graph: Graph,
    removed: Removed,
    inputs: Sequence[Tensor],
    strength: float,
) -> Repair:
    """Solve the layers of `network`, in place: it is `teacher` without the units `removed`.

    `graph` is the teacher's, `inputs` are batches of samples, `strength` is the ridge's share of
    the mean square of a layer's inputs. Layers go in order of execution, each on inputs that are
    repaired already, and stay near the cut weights. Those with more than `COLUMNS` inputs times
    taps are only scaled and shifted. None becomes worse on these samples, nor does the whole.
    """
    now, before = (all_calls(one, inputs[0]) for one in (network, teacher))
    names, order = ([call.layer.weight for call in one.calls] for one in (now, before))
    layers, left = used_layers(network, now)
    if names != order:
        layers, left = [], dict.fromkeys(names, ORDER)
    lost = removed_indices(graph, removed)
    outputs = {
        used.layer: kept_outputs(before.calls[used.calls[0]].layer, used.layer, teacher, lost)
        for used in layers
    }
    repair = refit(
        network, Teacher(teacher, inputs), layers, outputs,
        lambda used, sums, near: ridge(sums, near, strength, used.bias is not None),
        [used.layer for used in layers if columns_of(network, used.layer) > COLUMNS],
    )  # fmt: skip
    seen = {used.layer.weight for used in layers}
    cut = [name for name in _cut_readers(graph, removed) if name not in seen]
    told = {name: left.get(name, UNSEEN) for name in cut} | repair.left
    return replace(repair, left=told)


def _cut_readers(graph: Graph, removed: Removed) -> list[str]:
    """Tensors that have lost inputs."""
    touched = (group for group in graph.groups if len(removed.get(group.name, ())))
    return [*dict.fromkeys(p.tensor for group in touched for p in group.slices if p.role == READS)]


def kept_outputs(before: Layer, now: Layer, teacher: nn.Module, lost: RemovedIndices) -> Tensor:
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
