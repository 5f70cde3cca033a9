"""Building the dependency graph of a network: flow, units, groups, and a probe of each group."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from stages.channels import contraction  # noqa: F401 (registers its rules)
from stages.channels.flow import Flow, trace
from stages.channels.graph import FOLLOWS, MAKES, READS, Frozen, Graph, Group, Slice
from stages.channels.nodes import Nodes
from stages.channels.probe import probe, stirred
from stages.channels.rules import rule_for

Unit = dict[tuple[str, int], list[int]]  # indices by tensor and axis


def build_graph(network: nn.Module, example_shape: tuple[int, ...]) -> Graph:
    """Find what must be removed together, and prove each group by removing from it.

    The network runs on random input of `example_shape`; it is left as it was.
    """
    generator = torch.Generator().manual_seed(0)
    example = torch.rand(example_shape, generator=generator)
    nodes, flow = trace(network, example, rule_for)
    units, frozen = _components(nodes, flow)
    groups = _groups(nodes, flow, units)
    return _probed(network, example, groups, _frozen_axes(nodes, frozen))


def _components(nodes: Nodes, flow: Flow) -> tuple[list[NDArray[np.int64]], dict[int, str]]:
    """Connected components of the couplings that may be removed, and frozen nodes with reasons."""
    size = nodes.count + 1  # and the input
    pairs = np.concatenate(flow.pairs, axis=1) if flow.pairs else np.empty((2, 0), np.int64)
    links = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(size, size))
    _, component = connected_components(links, directed=False)
    reasons = {int(component[node]): reason for node, reason in reversed(flow.frozen.items())}
    order = np.argsort(component, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    axis_of = np.repeat(np.arange(len(nodes.axes)), np.diff(nodes.starts.numpy()))
    lengths = np.diff(nodes.starts.numpy())
    units, frozen = [], {}
    for unit in members:
        made, read = (any(n in role for n in unit.tolist()) for role in (flow.makes, flow.reads))
        if not (made or read):
            continue  # kernels, statistics and what no channel reaches
        reason = reasons.get(int(component[unit[0]])) or _unremovable(made, read)
        counts = np.bincount(axis_of[unit[unit < nodes.count]], minlength=len(lengths))
        if reason is None and (counts == lengths)[counts > 0].any():
            reason = "removing it would leave a layer empty"
        if reason is None:
            units.append(unit)
        else:
            frozen.update(dict.fromkeys(unit[unit < nodes.count].tolist(), reason))
    return units, frozen


def _unremovable(made: bool, read: bool) -> str | None:
    if not made:
        return "no convolution or linear layer makes it"
    return None if read else "no layer reads it"


def _groups(nodes: Nodes, flow: Flow, units: list[NDArray[np.int64]]) -> list[Group]:
    """Gather units that own slices of the same tensors into groups, in the order of making."""
    by_signature: dict[tuple[tuple[str, int, int], ...], list[Unit]] = defaultdict(list)
    first_made: dict[tuple[tuple[str, int, int], ...], tuple[int, int]] = {}
    for unit in sorted(
        units, key=lambda u: min(flow.makes.get(n, nodes.count) for n in u.tolist())
    ):
        places = _places(nodes, unit)
        signature = tuple((*place, len(found)) for place, found in sorted(places.items()))
        by_signature[signature].append(places)
        first_made.setdefault(
            signature, min((flow.makes[n], n) for n in unit.tolist() if n in flow.makes)
        )
    groups: list[Group] = []
    taken: dict[str, int] = defaultdict(int)
    for signature, members in by_signature.items():
        maker = nodes.axes[_axis_number(nodes, first_made[signature][1])][0]
        layer = maker.rpartition(".")[0] or maker
        taken[layer] += 1
        name = layer if taken[layer] == 1 else f"{layer}#{taken[layer]}"
        slices = tuple(
            Slice(
                tensor,
                axis,
                _role(nodes, flow, tensor, axis, members),
                _stack(members, tensor, axis),
            )
            for tensor, axis, _ in signature
        )
        groups.append(Group(name, slices))
    return groups


def _role(nodes: Nodes, flow: Flow, tensor: str, axis: int, members: list[Unit]) -> str:
    node = int(nodes.along(tensor, axis)[members[0][tensor, axis][0]])
    if node in flow.makes and node not in flow.reads:
        return MAKES
    return READS if node in flow.reads and node not in flow.makes else FOLLOWS


def _stack(members: list[Unit], tensor: str, axis: int) -> NDArray[np.int64]:
    return np.array([unit[tensor, axis] for unit in members], dtype=np.int64)


def _places(nodes: Nodes, unit: NDArray[np.int64]) -> Unit:
    places: Unit = defaultdict(list)
    for node in unit.tolist():
        number = _axis_number(nodes, node)
        places[nodes.axes[number]].append(node - int(nodes.starts[number]))
    return dict(places)


def _axis_number(nodes: Nodes, node: int) -> int:
    return int(torch.searchsorted(nodes.starts, node, right=True)) - 1


def _frozen_axes(nodes: Nodes, frozen: dict[int, str]) -> Iterator[Frozen]:
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for node, reason in frozen.items():
        counts[_axis_number(nodes, node), reason] += 1
    for (number, reason), count in sorted(counts.items()):
        tensor, axis = nodes.axes[number]
        yield Frozen(tensor, axis, count, reason)


def _probed(
    network: nn.Module, example: Tensor, groups: list[Group], frozen: Iterator[Frozen]
) -> Graph:
    """Freeze the groups that do not survive a removal, with the error as the reason."""
    graph = Graph(tuple(groups), ())
    tried = stirred(network)
    failed = {group.name: probe(tried, example, graph, group) for group in groups}
    kept = tuple(group for group in groups if failed[group.name] is None)
    more = [
        Frozen(part.tensor, part.axis, part.indices.size, reason)
        for group in groups
        if (reason := failed[group.name])
        for part in group.slices
    ]
    return Graph(kept, (*frozen, *more))
