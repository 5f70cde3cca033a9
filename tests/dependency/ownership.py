"""Every index of every axis is in one unit of one group, or stays for a reason."""

import numpy as np
from torch import nn

from stages.dependency.graph import Graph

Axis = tuple[str, int]


def axes_of(network: nn.Module) -> dict[Axis, int]:
    """The length of every axis of every parameter and buffer, shared ones by their first name."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    return {(name, axis): n for name, t in tensors for axis, n in enumerate(t.shape)}


def check_ownership(network: nn.Module, graph: Graph) -> None:
    """No index twice, none left over, and no reason that says nothing."""
    owned: dict[Axis, list[int]] = {}
    for group in graph.groups:
        for part in group.slices:
            owned.setdefault((part.tensor, part.axis), []).extend(part.indices.ravel().tolist())
    stay: dict[Axis, int] = {}
    for frozen in graph.frozen:
        assert frozen.reason.strip(), frozen
        assert frozen.count > 0, frozen
        place = frozen.tensor, frozen.axis
        stay[place] = stay.get(place, 0) + frozen.count
    lengths = axes_of(network)
    assert owned.keys() | stay.keys() <= lengths.keys()
    for place, length in lengths.items():
        indices = np.array(owned.get(place, []), np.int64)
        assert len(np.unique(indices)) == len(indices), place
        assert ((indices >= 0) & (indices < length)).all(), place
        assert len(indices) + stay.get(place, 0) == length, place
    entries = [(f.tensor, f.axis, f.reason) for f in graph.frozen]
    assert len(set(entries)) == len(entries)
