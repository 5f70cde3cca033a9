"""The smallest network that removal can reach."""

from collections.abc import Sequence

import numpy as np

from stages.channels.portions import is_protected
from stages.dependency.graph import Graph, Removed


def all_but(graph: Graph, minimum: int, protect: Sequence[str] = ()) -> Removed:
    """The units to remove so that every group that may lose some is at its minimum."""
    return {
        group.name: np.arange(max(0, group.units - minimum))
        for group in graph.groups
        if not is_protected(group, protect)
    }
