"""Which columns of a layer belong to one channel: its taps, or its places where it was flattened.

Layers of more columns than can be solved for are treated channel by channel, all taps alike.
"""

import torch
from torch import Tensor, nn

from stages.contractions.calls import Layer
from stages.contractions.matrices import columns_of
from stages.dependency.graph import READS, Graph


def by_channel(network: nn.Module, graph: Graph, layer: Layer) -> Tensor | None:
    """Columns of a layer by channel (channels, taps), or None if its inputs are no channels.

    Those of a linear layer are, where all are flattened from the units of one group.
    """
    columns = columns_of(network, layer)
    if layer.geometry is not None:
        taps = layer.geometry.taps
        return torch.arange(columns).view(-1, taps) if layer.groups == 1 else None
    for group in graph.groups:
        for part in group.slices:
            whole = part.role == READS and part.indices.size == columns
            if part.tensor == layer.weight and whole and part.indices.shape[1] > 1:
                return torch.from_numpy(part.indices)
    return None
