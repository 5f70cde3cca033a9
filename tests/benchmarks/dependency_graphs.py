"""Dependency graphs of many networks, ours and Torch-Pruning's, in one run.

Run by hand, from the repository's root: `python -m tests.benchmarks.dependency_graphs [NETWORK ...]
[--limit SECONDS] [--ours]`. A network is one of torchvision's classifiers or of those in
`tests/dependency/own_cases.py`; `torchvision` and `own` stand for all of these. For each: groups,
share of parameters in tensors that a group owns a part of, share removed at half of every group's
units, relative error against the masked network (ours in double precision), seconds to build the
graph with its groups (one thread). Totals and ratios at the end.
"""

import argparse
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from stages.channels.proof import SINGLE, Proof, masking_proof
from stages.channels.removal import remove_channels
from stages.dependency.build import build_graph
from stages.dependency.graph import Graph, Removed
from stages.measuring.parameters import count_parameters
from tests.benchmarks.networks import FAMILIES, example_for, make, tables
from tests.benchmarks.torch_pruning_graph import prune_half, reference_groups

NO_PROOF = Proof(float("nan"), SINGLE)
KINDS = EXACT, WRONG, WHOLE, FAILED = "exact", "wrong", "left whole", "failed"


@dataclass(frozen=True)
class Measured:
    """What one of the two made of a network; `failure` says why there is nothing."""

    groups: int = 0
    owned: float = 0.0
    removed: float = 0.0
    proof: Proof = NO_PROOF
    build_s: float = float("nan")
    failure: str = ""

    def kind(self) -> str:
        if self.failure or not self.removed:
            return FAILED if self.failure else WHOLE
        return EXACT if self.proof.holds else WRONG

    def row(self) -> str:
        if self.failure:
            return f"{self.failure[:44]:<44}"
        return (
            f"{self.groups:>6} {self.owned:>7.3f} {self.removed:>7.3f} "
            f"{self.proof.error:>9.1e} {self.build_s:>9.2f}   "
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


def half_of(graph: Graph) -> Removed:
    generator = np.random.default_rng(0)
    return {g.name: generator.permutation(g.units)[: g.units // 2] for g in graph.groups}


def ours(network: nn.Module, example: Tensor) -> Measured:
    start = time.perf_counter()
    graph = build_graph(network, tuple(example.shape))
    taken, half = time.perf_counter() - start, half_of(graph)
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    tensors = {part.tensor for group in graph.groups for part in group.slices}
    proof = masking_proof(network, example, graph, half)
    before = count_parameters(network)
    remove_channels(network, graph, half)
    owned = sum(sizes.get(tensor, 0) for tensor in tensors) / before
    return Measured(len(graph.groups), owned, 1 - count_parameters(network) / before, proof, taken)


def theirs(network: nn.Module, example: Tensor) -> Measured:
    start = time.perf_counter()
    groups, owned = reference_groups(network, example)
    taken, before = time.perf_counter() - start, count_parameters(network)
    proof = Proof(prune_half(network, example), SINGLE)
    return Measured(groups, owned / before, 1 - count_parameters(network) / before, proof, taken)


def measured(measure: Callable[[nn.Module, Tensor], Measured], name: str, limit: int) -> Measured:
    try:
        with at_most(limit):
            return measure(make(name), example_for(name))
    except Exception as error:  # a table is wanted whatever a network does
        lines = str(error).strip().splitlines() or [""]
        return Measured(failure=f"{type(error).__name__}: {lines[0]}")


def summary(label: str, results: list[Measured]) -> str:
    kinds = Counter(result.kind() for result in results)
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS)
    built = [result.build_s for result in results if not result.failure] or [float("nan")]
    return (
        f"{label}: {len(results)} networks, {counts}; building took {sum(built):.1f} s, median "
        f"{np.median(built):.2f} s, at most {max(built):.2f} s"
    )


def compare(names: list[str], limit: int, alone: bool) -> None:
    """Print a table, and what it comes to."""
    head = f"{'groups':>6} {'owned':>7} {'removed':>7} {'error':>9} {'build_s':>9}   "
    print(f"{'network':<28} {head}{'' if alone else head}")
    mine, reference = [], []
    for name in names:
        mine.append(measured(ours, name, limit))
        line = f"{name:<28} {mine[-1].row()}"
        if not alone:
            reference.append(measured(theirs, name, limit))
            line += reference[-1].row()
        print(line, flush=True)
    print(summary("ours", mine))
    if reference:
        print(summary("Torch-Pruning", reference))
        pairs = zip(mine, reference, strict=True)
        both = [(a.build_s, b.build_s) for a, b in pairs if not (a.failure or b.failure)]
        one, other = np.sum([*both, (0, 0)], axis=0)
        print(
            f"building, over the {len(both)} that both finish: {one:.1f} s against {other:.1f} s, "
            f"ratio {one / other:.2f}\n"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(FAMILIES))
    parser.add_argument("--limit", type=int, default=120, help="seconds for one network")
    parser.add_argument("--ours", action="store_true", help="without the reference")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for first in (ours, theirs):  # what is imported or set up on first use is nobody's time
        measured(first, "alexnet", asked.limit)
    for names in tables(asked.names):
        compare(names, asked.limit, asked.ours)


if __name__ == "__main__":
    main()
