"""Build the dependency graph and its pruning groups."""

from torch import nn

from stages import artifacts
from stages.dependency.build import build_graph
from stages.dependency.frozen import frozen_lines
from stages.dependency.graph import layer_of
from stages.dependency.graph_file import graph_to_json
from stages.measuring.parameters import count_parameters
from stages.networks.saved import load_network
from stages.running import run_stage
from stages.settings import load_settings


def main() -> None:
    """Write the graph of the dense model."""
    network, about = load_network(artifacts.DENSE_MODEL, load_settings().trusted)
    graph = build_graph(network, about.example_shape)
    made_for = {
        "factory": about.factory,
        "arguments": dict(about.arguments),
        "example_shape": list(about.example_shape),
        "parameters": count_parameters(network),
        "layers": _layers(network),
    }
    artifacts.write_json(artifacts.GRAPH, graph_to_json(graph) | {"network": made_for})
    units = sum(group.units for group in graph.groups)
    print(f"graph: {len(graph.groups)} groups of {units} units")
    for line in frozen_lines(graph):
        print(line)


def _layers(network: nn.Module) -> list[str]:
    """Modules that hold parameters or buffers, in network order."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    names = dict.fromkeys(layer_of(name) for name, _ in tensors)
    order = {name: place for place, (name, _) in enumerate(network.named_modules())}
    return sorted(names, key=lambda name: order.get(name, 0))


if __name__ == "__main__":
    run_stage(main)
