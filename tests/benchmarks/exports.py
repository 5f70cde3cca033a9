"""Which networks export once half of their channels are gone, and how far off they are.

Run by hand: `python -m tests.benchmarks.exports`. Prints a line a network: its largest error in
each runtime at hand, or why it is not there. The networks are those that the dependency graph is
tested with, and classifiers of torchvision at 96 x 96, with random weights.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from stages.channels.removal import remove_channels
from stages.dependency.build import build_graph
from stages.exporting.writing import Exported, Inputs, export_model
from tests.benchmarks.networks import make
from tests.dependency.cases import CASES, network_of, some_units

CLASSIFIERS = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "mobilenet_v2",
    "regnet_y_400mf", "resnet18", "shufflenet_v2_x1_0", "squeezenet1_1",
)  # fmt: skip
PICTURES = (1, 3, 96, 96)

Build = Callable[[], tuple[nn.Module, tuple[int, ...]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of networks; all by default")
    wanted = parser.parse_args().names
    held = refused = 0
    for name, build in networks():
        if wanted and name not in wanted:
            continue
        made = exported(*build())
        held, refused = held + ("onnx" in made.kept), refused + ("onnx" in made.refused)
        print(f"{name}: {told(made)}", flush=True)
    print(f"{held} verified in ONNX Runtime, {refused} refused")


def networks() -> Iterator[tuple[str, Build]]:
    for name in CASES:
        yield (
            name,
            lambda name=name: (half_of(network_of(name), CASES[name].shape), CASES[name].shape),
        )
    for name in CLASSIFIERS:
        yield name, lambda name=name: (half_of(make(name), PICTURES), PICTURES)


def half_of(network: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Half of every group's channels are gone."""
    graph = build_graph(network, shape)
    remove_channels(network, graph, some_units(graph, 0.5))
    return network


def exported(network: nn.Module, shape: tuple[int, ...]) -> Exported:
    inputs = Inputs((1, *shape[1:]), (0,), (1, *shape[1:]), torch.rand)
    with tempfile.TemporaryDirectory() as folder:
        return export_model(network, inputs, Path(folder) / "network", {})


def told(made: Exported) -> str:
    kept = [f"{name} {one.error:.0e}" for name, one in made.kept.items()]
    return "; ".join(kept + [f"no {name}: {reason}" for name, reason in made.refused.items()])


if __name__ == "__main__":
    main()
