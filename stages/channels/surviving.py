"""What is left of a layer after removal, by its place before."""

import numpy as np
import torch
from torch import Tensor, nn

from stages.contractions.calls import Layer
from stages.contractions.mapped import Channels
from stages.contractions.matrices import as_matrices, from_matrices
from stages.networks.indices import Indices, RemovedIndices, kept_of


def kept_outputs(before: Layer, now: Layer, teacher: nn.Module, lost: RemovedIndices) -> Tensor:
    """Which of the outputs that a layer had before are left, in the order they are in now."""
    weight, left = teacher.get_parameter(before.weight), _left(before, teacher, lost)
    if before.geometry is None:
        kept = left[0] - before.start
        return kept[(kept >= 0) & (kept < before.rows)]
    shape = as_matrices(weight, before.geometry).shape
    channels = torch.arange(shape[0] * shape[1]).view(*shape[:2], 1)
    return _numbered(channels, before, now, weight, left)[:, :, 0].flatten()


def kept_columns(before: Layer, now: Layer, teacher: nn.Module, lost: RemovedIndices) -> Tensor:
    """Which of the columns that a layer of one group had are left, in the order they are in now."""
    weight, left = teacher.get_parameter(before.weight), _left(before, teacher, lost)
    if before.geometry is None:
        return left[1]
    columns = torch.arange(as_matrices(weight, before.geometry).shape[2])
    return _numbered(columns, before, now, weight, left)[0, 0]


def channels_left(before: Tensor, kept: Tensor) -> Channels:
    """Columns by channel (channels, taps), and what is left of them: `kept`, in its order."""
    places = torch.full((before.numel(),), -1)
    places[kept] = torch.arange(len(kept))
    now = places[before]
    left = (now >= 0).all(1)
    return Channels(before, now[left], torch.nonzero(left)[:, 0])


def _left(layer: Layer, teacher: nn.Module, lost: RemovedIndices) -> list[Tensor]:
    """What is left of each axis of a layer's weight."""
    weight, gone = teacher.get_parameter(layer.weight), lost.get(layer.weight, {})
    nothing: Indices = np.empty(0, np.int64)
    return [torch.from_numpy(kept_of(n, gone.get(a, nothing))) for a, n in enumerate(weight.shape)]


def _numbered(
    numbers: Tensor, before: Layer, now: Layer, weight: Tensor, left: list[Tensor]
) -> Tensor:
    """Numbers of a weight's matrices, as the matrices are once removal has been through them."""
    shape = as_matrices(weight, before.geometry).shape
    numbered = from_matrices(numbers.expand(shape), before.geometry, weight.shape)
    for axis, kept in enumerate(left):
        numbered = numbered.index_select(axis, kept)
    return as_matrices(numbered, now.geometry)
