"""A contraction as a matrix product: rows of its inputs, rows of its outputs, and its weights.

Per group of a convolution: outputs (positions, outs) = inputs (positions, columns) x weights
(outs, columns)' where a column is an input channel at a tap of the kernel, channel by channel.
"""

import operator
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stages.contractions.calls import Call, Geometry, Layer

COLUMNS = 5_000  # above so many, sums over a layer's inputs take too much room and time


def positions_in(outputs: Tensor, geometry: Geometry | None) -> int:
    """How many rows outputs have."""
    return len(outputs) * prod(outputs.shape[2:] if geometry else ())


def some_positions(outputs: Tensor, geometry: Geometry | None, wanted: int) -> Tensor:
    """Positions of rows: all, or so many drawn by chance, always the same."""
    positions = positions_in(outputs, geometry)
    if positions <= wanted:
        return torch.arange(positions)
    generator = torch.Generator().manual_seed(positions)
    return torch.randperm(positions, generator=generator)[:wanted].sort().values


def input_rows(call: Call, places: Tensor) -> Tensor:
    """Rows of a call's inputs at some positions: (groups, places, columns)."""
    geometry = call.layer.geometry
    if geometry is None:
        return call.inputs[places].unsqueeze(0)
    x, spatial = _windows(call.inputs, geometry), len(geometry.kernel)
    axes = (0, *range(2, 2 + spatial), 1, *range(2 + spatial, 2 + 2 * spatial))
    picked = x.permute(axes)[_unravelled(places, call.outputs)]
    return picked.reshape(len(places), geometry.groups, -1).transpose(0, 1)


def output_rows(outputs: Tensor, geometry: Geometry | None, places: Tensor) -> Tensor:
    """Rows of outputs, or of their gradients, at some positions: (places, channels)."""
    if geometry is None:
        return outputs[places]
    return outputs.movedim(1, -1)[_unravelled(places, outputs)]


def own_rows(network: nn.Module, layer: Layer) -> Tensor:
    """The part of a parameter that is a layer's weight."""
    weight = network.get_parameter(layer.weight).detach()
    return weight[layer.start : layer.start + layer.rows]


def columns_of(network: nn.Module, layer: Layer) -> int:
    """How many columns a layer has: its inputs, times the taps of its kernel, per group."""
    return as_matrices(own_rows(network, layer), layer.geometry).shape[2]


def too_large(network: nn.Module, layer: Layer) -> bool:
    """Whether a layer has too many columns to be solved for, one by one."""
    return columns_of(network, layer) > COLUMNS


def as_matrices(weight: Tensor, geometry: Geometry | None) -> Tensor:
    """A layer's weight as matrices: (groups, outputs per group, columns)."""
    if geometry is None:
        return weight.unsqueeze(0)
    if geometry.transposed:  # a weight (inputs, outputs / groups, ...), and taps in turned order
        split = weight.view(geometry.groups, -1, *weight.shape[1:]).transpose(1, 2)
        return split.flip(tuple(range(3, split.dim()))).flatten(2)
    return weight.view(geometry.groups, -1, *weight.shape[1:]).flatten(2)


def from_matrices(matrices: Tensor, geometry: Geometry | None, shape: torch.Size) -> Tensor:
    """The weight of a shape that `as_matrices` makes these matrices of."""
    if geometry is None or not geometry.transposed:
        return matrices.reshape(shape)
    split = matrices.reshape(*matrices.shape[:2], shape[0] // geometry.groups, *shape[2:])
    return split.flip(tuple(range(3, split.dim()))).transpose(1, 2).reshape(shape)


def _windows(x: Tensor, geometry: Geometry) -> Tensor:
    """What the kernel sees at every position, as a view: (N, channels, positions, taps)."""
    kernel, dilation, stride = geometry.kernel, geometry.dilation, geometry.stride
    before = after = geometry.padding
    if geometry.transposed:
        x, stride = _stuffed(x, stride), (1,) * len(kernel)
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        before = tuple(r - p for r, p in zip(reach, geometry.padding, strict=True))
        after = tuple(map(operator.add, before, geometry.output_padding))
    edges = reversed([*zip(before, after, strict=True)])
    x = pad(x, [side for edge in edges for side in edge])
    for axis, (k, d, s) in enumerate(zip(kernel, dilation, stride, strict=True), start=2):
        x = x.unfold(axis, d * (k - 1) + 1, s)[..., ::d]
    return x


def _stuffed(x: Tensor, stride: tuple[int, ...]) -> Tensor:
    """With zeros between neighbours, as many as a transposed convolution steps over."""
    lengths = [(n - 1) * s + 1 for n, s in zip(x.shape[2:], stride, strict=True)]
    wide = x.new_zeros((*x.shape[:2], *lengths))
    steps = [slice(None), slice(None), *(slice(None, None, s) for s in stride)]
    wide[tuple(steps)] = x
    return wide


def _unravelled(places: Tensor, outputs: Tensor) -> tuple[Tensor, ...]:
    return torch.unravel_index(places, (len(outputs), *outputs.shape[2:]))
