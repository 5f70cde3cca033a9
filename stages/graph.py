"""Build the network, start it from its weights, and find what can be removed from it.

All that could fail because of the network fails here, before anything is coded or trained.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from stages import artifacts
from stages.channels.removal import parameter_shapes
from stages.dependency.build import build_graph
from stages.dependency.frozen import frozen_lines
from stages.dependency.graph import layer_of
from stages.dependency.graph_file import graph_to_json
from stages.dependency.tracing import same_draws, tensors_of
from stages.dependency.unfit import refuse_unfit
from stages.device import device_for
from stages.errors import UserError
from stages.measuring.cost import saved_bytes
from stages.measuring.memory import refuse_little_space, refuse_too_large
from stages.measuring.parameters import count_parameters
from stages.measuring.prices import network_prices
from stages.networks.build import build_network, resolve
from stages.networks.saved import About, load_network, save_network
from stages.running import run_stage
from stages.settings import Settings, load_settings
from stages.tasks.output_shape import refuse_misfit
from stages.tasks.task import Task, task_of
from stages.training.initial_weights import load_weights
from stages.training.loop import seed_everything


def main() -> None:
    """Write the network that training starts from, and its graph."""
    settings = load_settings()
    seed_everything(settings.seed)
    task, device = task_of(settings), device_for(settings.training)
    network, about = _start(settings, task)
    latency = task.cost_shapes.latency
    refuse_too_large(network, latency, device, f"evaluation.{settings.task}.latency_*")
    refuse_little_space(network, models_made(settings))
    with artifacts.fresh_folder(artifacts.START) as folder:
        save_network(folder, network, about)
        _refuse_unlike(network, folder, settings)
    graph = build_graph(network, about.example_shape)
    known = {"network": described(network, about) | {"latency_shape": list(latency)}}
    artifacts.write_json(artifacts.GRAPH, graph_to_json(graph) | known)
    prices = network_prices(network, saved_bytes(artifacts.START), task.cost_shapes.macs)
    artifacts.write_json(artifacts.PRICES, prices)
    units = sum(group.units for group in graph.groups)
    print(f"graph: {len(graph.groups)} groups of {units} units")
    for line in frozen_lines(graph):
        print(line)


def _start(settings: Settings, task: Task) -> tuple[nn.Module, About]:
    """The network that `params.yaml` names, with the weights it starts from."""
    chosen = settings.of(settings.network)
    factory, arguments = resolve(chosen.factory, chosen.arguments, task.factory_arguments())
    network = build_network(factory, arguments)
    refuse_unfit(network)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UserError(f"network {chosen.factory} has no parameter that can be trained")
    if chosen.weights:
        load_weights(network, chosen.weights, chosen.factory, task.allows_new_head)
    refuse_misfit(network, task.fit)
    return network, About(factory, arguments, task.example_shape)


def _refuse_unlike(network: nn.Module, folder: Path, settings: Settings) -> None:
    """Refuse a network that does not come back from disk as it was saved."""
    loaded, about = load_network(folder, settings.trusted)
    example = torch.rand(about.example_shape, generator=torch.Generator().manual_seed(0))
    outputs = []
    for one in (network.eval(), loaded):
        with torch.no_grad(), same_draws():
            outputs.append([t.nan_to_num() for t in tensors_of(one(example.clone()))])
    if not all(map(torch.equal, *outputs)):
        raise UserError(
            f"network {about.factory} computes something else once it is saved and loaded: keep "
            "all that it draws or learns in parameters or buffers (register_buffer)"
        )


def models_made(settings: Settings) -> int:
    """How many models a run keeps, in models/ and in the cache: three per step, and a few."""
    return 2 * (3 * len(settings.pruning.steps) + 6)


def described(network: nn.Module, about: About) -> dict[str, Any]:
    """What later stages want to know of the whole network."""
    return {
        "factory": about.factory,
        "arguments": dict(about.arguments),
        "example_shape": list(about.example_shape),
        "parameters": count_parameters(network),
        "shapes": {name: list(shape) for name, shape in parameter_shapes(network).items()},
        "buffers": {name: list(buffer.shape) for name, buffer in network.named_buffers()},
        "layers": _layers(network),
    }


def _layers(network: nn.Module) -> list[str]:
    """Modules that hold parameters or buffers, in network order."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    names = dict.fromkeys(layer_of(name) for name, _ in tensors)
    order = {name: place for place, (name, _) in enumerate(network.named_modules())}
    return sorted(names, key=lambda name: order.get(name, 0))


if __name__ == "__main__":
    run_stage(main)
