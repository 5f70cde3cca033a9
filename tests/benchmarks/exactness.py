"""What pruning leaves of a network against the masked network, at several ratios.

Run by hand, from the repository's root: `python -m tests.benchmarks.exactness [NETWORK ...]`, with
networks as in `dependency_graphs`. For each: the relative error at every ratio, units chosen at
random, in double precision unless the line ends with another; the same when other units are masked
than those removed (the control: at least by how much a wrong graph would show); the share of
parameters removed.
"""

import argparse
import copy
import warnings

import torch
from torch import Tensor, nn

from stages.channels.masking import kept_statistics, mask_channels
from stages.channels.proof import DOUBLE, masking_proof, relative_error
from stages.channels.removal import remove_channels
from stages.dependency.build import build_graph
from stages.dependency.graph import Graph, Removed, removed_indices
from stages.dependency.tracing import tensors_of
from stages.measuring.parameters import count_parameters
from tests.benchmarks.networks import FAMILIES, example_for, make, tables
from tests.dependency.cases import some_units

RATIOS = (0.3, 0.5, 0.7, 0.9)


def control(network: nn.Module, example: Tensor, graph: Graph, removed: Removed) -> float:
    """The error if each unit's neighbour is masked in its place."""
    units = {group.name: group.units for group in graph.groups}
    others = {name: (gone + 1) % units[name] for name, gone in removed.items()}
    small, masked = copy.deepcopy(network), copy.deepcopy(network)
    remove_channels(small, graph, removed)
    mask_channels(masked, graph, others)
    with torch.no_grad(), kept_statistics(masked, removed_indices(graph, others)):
        pairs = zip(tensors_of(small(example)), tensors_of(masked(example)), strict=True)
        return max(relative_error(one, other) for one, other in pairs)


def share_removed(network: nn.Module, graph: Graph, removed: Removed) -> float:
    small = copy.deepcopy(network)
    remove_channels(small, graph, removed)
    return 1 - count_parameters(small) / count_parameters(network)


def row(name: str) -> tuple[bool, str]:
    """Whether all proofs hold, and what to print."""
    network, example = make(name), example_for(name)
    graph = build_graph(network, tuple(example.shape))
    removed = [some_units(graph, ratio, seed=round(10 * ratio)) for ratio in RATIOS]
    proofs = [masking_proof(network, example, graph, gone) for gone in removed]
    wrong = [control(network, example, graph, gone) for gone in removed]
    shares = [share_removed(network, graph, gone) for gone in removed]
    cells = "".join(f"{proof.error:>9.1e}" for proof in proofs)
    precisions = "".join(f"  {precision}" for precision in {p.precision for p in proofs} - {DOUBLE})
    return all(proof.holds for proof in proofs), (
        f"{name:<28}{cells}{min(wrong):>10.1e}   "
        + "".join(f"{share:>7.3f}" for share in shares)
        + precisions
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(FAMILIES))
    warnings.simplefilter("ignore")
    heads = "".join(f"{ratio:>9}" for ratio in RATIOS)
    for names in tables(parser.parse_args().names):
        print(f"{'network':<28}{heads}{'control':>10}   " + "".join(f"{r:>7}" for r in RATIOS))
        exact = 0
        for name in names:
            held, line = row(name)
            exact += held
            print(line, flush=True)
        print(f"exact: {exact} of {len(names)}\n", flush=True)


if __name__ == "__main__":
    main()
