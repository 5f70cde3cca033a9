"""Dependency graphs of torchvision's classifiers, ours and Torch-Pruning's, in one run.

Run by hand, from the repository's root: `python -m tests.benchmarks.dependency_graphs [NETWORK ...]
[--limit SECONDS] [--ours]`. For every network: groups, share of parameters in tensors that a group
owns a part of, share removed at half of every group's units, relative error against the masked
network, seconds to build the graph with its groups (one thread). Totals and ratios at the end.
"""

import argparse
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from stages.channels.dependencies import build_graph
from stages.channels.graph import Graph, Removed
from stages.channels.masking import masking_error
from stages.channels.removal import remove_channels
from tests.benchmarks.torch_pruning_graph import prune_half, reference_groups

EXACT = 1e-5
SHAPE = (1, 3, 224, 224)
SIDES = {"inception_v3": 299}  # its auxiliary head needs more in training


@dataclass(frozen=True)
class Measured:
    """What one of the two made of a network; `failure` says why there is nothing."""

    groups: int = 0
    owned: float = 0.0
    removed: float = 0.0
    error: float = float("nan")
    build_s: float = float("nan")
    failure: str = ""

    def row(self) -> str:
        if self.failure:
            return f"{self.failure[:44]:<44}"
        return (
            f"{self.groups:>6} {self.owned:>7.3f} {self.removed:>7.3f} "
            f"{self.error:>9.1e} {self.build_s:>9.2f}   "
        )


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"nothing in {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def make(name: str) -> nn.Module:
    """A network whose every channel matters, in eval mode."""
    torch.manual_seed(0)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    with torch.no_grad():
        for key, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if tensor.is_floating_point() and tensor.numel() > 1 and float(tensor.std()) == 0:
                centred = key.endswith(("bias", "running_mean"))
                tensor.uniform_(*((-0.2, 0.2) if centred else (0.5, 1.5)))
    return network.eval()


def half_of(graph: Graph) -> Removed:
    generator = np.random.default_rng(0)
    return {g.name: generator.permutation(g.units)[: g.units // 2] for g in graph.groups}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def ours(network: nn.Module, example: Tensor) -> Measured:
    start = time.perf_counter()
    graph = build_graph(network, tuple(example.shape))
    taken, half = time.perf_counter() - start, half_of(graph)
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    tensors = {part.tensor for group in graph.groups for part in group.slices}
    error = masking_error(network, example, graph, half)
    before = count(network)
    remove_channels(network, graph, half)
    owned = sum(sizes.get(tensor, 0) for tensor in tensors) / before
    return Measured(len(graph.groups), owned, 1 - count(network) / before, error, taken)


def theirs(network: nn.Module, example: Tensor) -> Measured:
    start = time.perf_counter()
    groups, owned = reference_groups(network, example)
    taken, before = time.perf_counter() - start, count(network)
    error = prune_half(network, example)
    return Measured(groups, owned / before, 1 - count(network) / before, error, taken)


def measured(measure: Callable[[nn.Module, Tensor], Measured], name: str, limit: int) -> Measured:
    side = SIDES.get(name, SHAPE[-1])
    example = torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(1))
    network = make(name)
    try:
        with at_most(limit):
            return measure(network, example)
    except Exception as error:  # a table is wanted whatever a network does
        told = str(error).strip().splitlines() or [""]
        return Measured(failure=f"{type(error).__name__}: {told[0]}")


def summary(label: str, results: list[Measured]) -> str:
    exact = sum(result.error < EXACT for result in results)
    failed = sum(bool(result.failure) for result in results)
    built = [result.build_s for result in results if not result.failure]
    return (
        f"{label}: {len(results)} networks, {exact} exact, {len(results) - exact - failed} wrong, "
        f"{failed} failed; building took {sum(built):.1f} s, median {np.median(built):.2f} s, at "
        f"most {max(built):.2f} s"
    )


def main() -> None:
    every = torchvision.models.list_models(module=torchvision.models)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=every)
    parser.add_argument("--limit", type=int, default=120, help="seconds for one network")
    parser.add_argument("--ours", action="store_true", help="without the reference")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    build_graph(make("alexnet"), SHAPE)  # what is imported on first use is nobody's time
    head = f"{'groups':>6} {'owned':>7} {'removed':>7} {'error':>9} {'build_s':>9}   "
    print(f"{'network':<20} {head}{'' if asked.ours else head}")
    mine, reference = [], []
    for name in asked.names:
        mine.append(measured(ours, name, asked.limit))
        line = f"{name:<20} {mine[-1].row()}"
        if not asked.ours:
            reference.append(measured(theirs, name, asked.limit))
            line += reference[-1].row()
        print(line, flush=True)
    print(summary("ours", mine))
    if reference:
        print(summary("Torch-Pruning", reference))
        pairs = zip(mine, reference, strict=True)
        both = [(a.build_s, b.build_s) for a, b in pairs if not (a.failure or b.failure)]
        one, other = (sum(times) for times in zip(*both, strict=True))
        print(f"building, over the {len(both)} that both finish: {one:.1f} s against {other:.1f} s")


if __name__ == "__main__":
    main()
