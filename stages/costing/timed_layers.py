"""Timing single layers over widths."""

from collections.abc import Sequence

import torch
from tqdm import tqdm

from stages.channels.prices import NS_PER_MS
from stages.channels.tables import Table
from stages.costing.grid import widths
from stages.costing.layers import Contraction
from stages.costing.single import single_layer
from stages.measuring.latency import fastest_ms

RUNS, SECONDS = 7, 0.1  # of a layer at most


def layer_tables(
    contractions: Sequence[Contraction], runtime: str, device: torch.device
) -> dict[Contraction, Table]:
    """The time of each contraction in ns over the lengths of its weight's axes."""
    found = dict[Contraction, Table]()
    for contraction in tqdm(contractions, "layers over widths", disable=None, leave=False):
        first, second = (widths(length) for length in contraction.lengths)
        values = []
        for a in first:
            layers = [single_layer(contraction, (a, b), runtime) for b in second]
            taken = [fastest_ms(one.to(device), x, RUNS, SECONDS) for one, x in layers]
            values.append(tuple(NS_PER_MS * ms for ms in taken))
        found[contraction] = Table((first, second), tuple(values))
    return found
