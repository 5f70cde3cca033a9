"""Look at a network's pruning groups before running a pipeline.

`python -m stages.groups MODEL`, where MODEL is a name of torchvision's classifiers, a name of
ours, `package.module:factory`, or the folder of a saved model.
"""

import argparse
from collections import defaultdict

import numpy as np
from torch import nn

from stages.channels.removal import parameter_shapes
from stages.dependency.build import build_graph
from stages.dependency.frozen import frozen_lines
from stages.dependency.graph import MAKES, Graph, Group, layer_of
from stages.measuring.parameters import count_parameters
from stages.named_network import add_network_arguments, network_named
from stages.running import run_stage


def main() -> None:
    """Print the groups of a network as a table, then what is frozen and why."""
    arguments = _arguments()
    network, shape = network_named(arguments)
    graph = build_graph(network, shape)
    for line in (*table(graph, network), *frozen_lines(graph)):
        print(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stages.groups", description="Print the pruning groups of a network."
    )
    add_network_arguments(parser)
    return parser.parse_args()


def table(graph: Graph, network: nn.Module) -> list[str]:
    """A line a group: units, parameters of all its units, layers that make, follow and read it."""
    shapes, total = parameter_shapes(network), count_parameters(network)
    width = max([5, *(len(group.name) for group in graph.groups)])
    lines = [
        f"{'group':<{width}} {'units':>6} {'parameters':>11} {'share':>6}  made by, then others"
    ]
    for group in graph.groups:
        own = _parameters(group, shapes)
        layers = defaultdict(list)
        for part in group.slices:
            layers[part.role == MAKES].append(layer_of(part.tensor))
        made = list(dict.fromkeys(layers[True]))
        others = [layer for layer in dict.fromkeys(layers[False]) if layer not in made]
        layers_text = f"{', '.join(made)}; {', '.join(others)}"
        lines.append(
            f"{group.name:<{width}} {group.units:>6} {own:>11,} {own / total:>6.3f}  {layers_text}"
        )
    return [*lines, f"{len(graph.groups)} groups of {sum(g.units for g in graph.groups)} units"]


def _parameters(group: Group, shapes: dict[str, tuple[int, ...]]) -> int:
    """Parameters that all units of the group own, those of several slices counted in each."""
    total = 0
    for part in group.slices:
        shape = shapes.get(part.tensor)
        if shape is not None:
            others = [n for axis, n in enumerate(shape) if axis != part.axis]
            total += part.indices.size * int(np.prod([1, *others]))
    return total


if __name__ == "__main__":
    run_stage(main)
