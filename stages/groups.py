"""Look at a network's pruning groups before running a pipeline.

`python -m stages.groups MODEL`, where MODEL is a name of torchvision's classifiers, a name of
ours, `package.module:factory`, or the folder of a saved model.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from torch import nn

from stages.channels.removal import parameter_shapes
from stages.dependency.build import build_graph
from stages.dependency.frozen import frozen_lines
from stages.dependency.graph import MAKES, Graph, Group, layer_of
from stages.errors import UserError
from stages.measuring.parameters import count_parameters
from stages.networks.build import build_network, resolve
from stages.networks.saved import TRUST, load_network
from stages.running import run_stage
from stages.settings import trusted_here

CLASSES = 1000


def main() -> None:
    """Print the groups of a network as a table, then what is frozen and why."""
    arguments = _arguments()
    network, shape = _network(arguments)
    graph = build_graph(network, shape)
    for line in (*table(graph, network), *frozen_lines(graph)):
        print(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stages.groups", description="Print the pruning groups of a network."
    )
    parser.add_argument("model", help="torchvision name, name of ours, dotted path, or folder")
    parser.add_argument(
        "--shape", type=int, nargs="+", help="of an input, batch included (1 3 224 224)"
    )
    parser.add_argument("--arguments", default="{}", help="of the factory, as JSON")
    parser.add_argument("--trust", action="append", default=[], help=TRUST)
    return parser.parse_args()


def _network(arguments: argparse.Namespace) -> tuple[nn.Module, tuple[int, ...]]:
    model, shape = arguments.model, arguments.shape
    if Path(model).is_dir():
        network, about = load_network(Path(model), {*trusted_here(), *arguments.trust})
        return network, tuple(shape or about.example_shape)
    try:
        options = json.loads(arguments.arguments)
    except json.JSONDecodeError as error:
        raise UserError(f"--arguments is no JSON: {error}") from None
    input_shape = tuple(shape or (1, 3, 224, 224))
    path, options = resolve(model, options, {"classes": CLASSES, "input_shape": input_shape[1:]})
    return build_network(path, options), input_shape


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
