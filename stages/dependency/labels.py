"""Labels: for each element of a tensor, the node that produced it.

A label tensor has the shape of its activation, but along axes where nothing differs it is usually
expanded (stride 0) and holds one value only: rules work on that core, which is small.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

AxisLabels = list[Tensor]  # of a parameter one label tensor for each of its axes, else a single one

NONE = -1  # no node produced it, and its values may differ from place to place
UNIFORM = -2  # the same number everywhere, such as zeros: it fits channels of any count


def core(labels: Tensor) -> Tensor:
    """The labels with every expanded axis cut to length one (a view)."""
    steps = labels.stride()
    if 0 not in steps:
        return labels
    if not any(steps) and labels.numel():  # one label for all
        return labels.as_strided([1] * len(steps), steps, labels.storage_offset())
    shape = [
        min(size, 1) if step == 0 else size for size, step in zip(labels.shape, steps, strict=True)
    ]
    return labels.as_strided(shape, steps, labels.storage_offset())


def nodes_in(labels: Tensor) -> NDArray[np.int64]:
    """The nodes that occur in labels, each once."""
    nodes = core(labels).reshape(-1).numpy()
    return np.unique(nodes[nodes >= 0])


def varying(labels: Tensor, rank: int) -> set[int]:
    """The axes along which nodes differ, counted in a broadcast result of `rank` axes."""
    labels = core(labels)
    if labels.numel() <= 1:
        return set()
    offset, known = rank - labels.dim(), labels >= 0
    lowest = labels.where(known, torch.iinfo(labels.dtype).max)
    return {
        axis + offset
        for axis, length in enumerate(labels.shape)
        if length > 1 and bool((lowest.amin(axis) < labels.amax(axis)).any())
    }


def merged(labels: Tensor, axes: list[int]) -> Tensor:
    """One label for all positions along `axes`, kept with length one: the highest."""
    small = core(labels)
    long = [axis for axis in axes if small.shape[axis] != 1]
    return small.amax(long, keepdim=True) if long else small


def filled(shape: torch.Size | tuple[int, ...], label: int) -> Tensor:
    """One label for all of a shape (expanded)."""
    return torch.tensor(label).expand(shape)


def compact(labels: Tensor) -> Tensor:
    """The same labels, expanded along every axis where they do not differ."""
    small = core(labels)
    for axis, length in enumerate(small.shape):
        if length > 1:
            first = small.narrow(axis, 0, 1)
            small = first if bool((small == first).all()) else small
    return small.expand(labels.shape)


def line_of(labels: Tensor, axis: int) -> NDArray[np.int64] | None:
    """The labels along an axis, at the first place of all others; None if there is none.

    It runs no operator, so it may be called where a mode would see one.
    """
    if not labels.numel():
        return None
    own = axis % labels.dim()
    places = [slice(None) if other == own else 0 for other in range(labels.dim())]
    line: NDArray[np.int64] = labels.numpy()[tuple(places)].copy()
    return line
