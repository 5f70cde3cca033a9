"""Proof by trial: a group is prunable if the network still works with some of its units gone.

A trial costs no arithmetic: the smaller network runs on the meta device, and labels flow through it
once more. What is left must meet what it met before.
"""

import copy
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.dependency.flow import Flow, View, trace
from stages.dependency.graph import Graph, Removed, removed_indices
from stages.dependency.nodes import Labelling, Nodes
from stages.dependency.rules import rule_for
from stages.dependency.units import Components
from stages.networks.reshape import RemovedIndices, kept_of, remove_indices, replace_tensors

BREAKS = "the network breaks without it"
MOVES = "removing it changes what the network computes"
OTHERS = "channels take the places of others"
MODES = {"eval": False, "train": True}


@dataclass(frozen=True)
class Problem:
    """What went wrong in a trial, and the tensors around the place, where that is known."""

    reason: str
    blamed: Collection[str] = ()


@dataclass
class Subject:
    """A network to try things on, a copy of the user's, and what was seen when it was whole."""

    network: nn.Module
    example: Tensor
    nodes: Nodes
    whole: dict[str, Flow] = field(default_factory=dict)  # by mode
    repeats: dict[str, int] = field(default_factory=dict)  # of the example, if more than one

    def run(self, mode: str) -> Flow:
        """Trace the whole network, and remember what came of it."""
        self.whole[mode] = self._trace(mode, Labelling(self.network, self.nodes))
        return self.whole[mode]

    def problem(self, graph: Graph, removed: Removed, parts: Components) -> Problem | None:
        """What goes wrong without the units `removed`, if anything."""
        whole = self.network.state_dict(keep_vars=True)
        lost = removed_indices(graph, removed)
        remove_indices(self.network, lost)
        try:
            return self._problem_now(lost, parts)
        finally:
            replace_tensors(self.network, whole)

    def _problem_now(self, lost: RemovedIndices, parts: Components) -> Problem | None:
        kept = {
            (tensor, axis): kept_of(self.nodes.shapes[tensor][axis], gone)
            for tensor, axes in lost.items()
            for axis, gone in axes.items()
        }
        labelling = Labelling(self.network, self.nodes, kept)
        for mode, whole in self.whole.items():
            try:
                flow = self._trace(mode, labelling)
            except Exception as problem:  # whatever a user's own forward pass may raise
                return Problem(f"{BREAKS}: {told(problem)}", _tensors_near(problem, self.network))
            if found := self._difference(flow, whole, parts):
                return found
        return None

    def _difference(self, flow: Flow, whole: Flow, parts: Components) -> Problem | None:
        """What a smaller network does otherwise than the whole one did."""
        for given, wanted in zip(flow.outputs, whole.outputs, strict=False):
            if given != wanted:
                return Problem(f"{BREAKS}: the output is {given}, not {wanted}")
        if len(flow.outputs) != len(whole.outputs):
            return Problem(f"{BREAKS}: it gives {len(flow.outputs)} tensors")
        if flow.constants != whole.constants:
            return Problem(f"{MOVES}: it counts its channels")
        if not _alike(whole.views, flow.views):
            return Problem(f"{MOVES}: a view cuts channels elsewhere")
        if len(flow.cuts) != len(whole.cuts):
            return Problem(f"{MOVES}: {OTHERS}")
        strays = _strays(flow, whole.cuts, parts)
        if len(strays):
            blamed = {self.nodes.axes[axis][0] for axis in self.nodes.axis_of(strays)}
            return Problem(f"{MOVES}: {OTHERS}", blamed)
        return None

    def _trace(self, mode: str, labelling: Labelling) -> Flow:
        self.network.train(MODES[mode])
        inputs = torch.cat([self.example] * self.repeats.get(mode, 1))
        return trace(self.network, inputs, labelling, rule_for)


def _alike(before: list[View], now: list[View]) -> bool:
    """Whether views got shorter along such axes only along which nodes differed."""
    return all(
        len(old) == len(new)
        and all(old[axis] == new[axis] for axis in range(len(old)) if axis not in axes)
        for (old, axes), (new, _) in zip(before, now, strict=False)
    )


def _strays(flow: Flow, cuts: list[NDArray[np.int64]], parts: Components) -> NDArray[np.int64]:
    """Nodes that met, or were frozen, though they were free of each other in the whole network, or
    that are in a part that did not hold them."""
    found = [np.empty(0, np.int64)]
    for pair in flow.pairs:
        first, second = parts.of[pair]
        apart = parts.alive[first] & parts.alive[second] & (first != second)
        found.append(pair[:, apart].ravel())
    free = parts.alive & (parts.reason == 0)
    found += [nodes[free[parts.of[nodes]]] for nodes, _ in flow.frozen]
    found += [
        now[~np.isin(parts.of[now], parts.of[before])]
        for before, now in zip(cuts, flow.cuts, strict=True)
    ]
    strays = np.concatenate(found)
    return strays[strays < len(parts.of) - 1]


def told(problem: Exception) -> str:
    """What was raised, in one line."""
    first = (str(problem).strip().splitlines() or [""])[0]
    kind = type(problem).__name__
    return first if first and kind == "RuntimeError" else f"{kind}: {first}".removesuffix(": ")


def _tensors_near(problem: Exception, network: nn.Module) -> set[str]:
    """Names of the tensors of the innermost module, with any, whose code raised."""
    names = {id(t): n for n, t in [*network.named_parameters(), *network.named_buffers()]}
    near: set[str] = set()
    frame = problem.__traceback__
    while frame is not None:
        module = frame.tb_frame.f_locals.get("self")
        if isinstance(module, nn.Module) and module is not network:
            near = {names[id(t)] for t in _tensors(module) if id(t) in names} or near
        frame = frame.tb_next
    return near


def subject_of(network: nn.Module, example_shape: tuple[int, ...], meta: bool) -> Subject:
    """A copy of a network to try things on, on the meta device or where it is."""
    nodes = Nodes(network)
    if meta:
        copied = copy.deepcopy(network, {id(t): _weightless(t) for t in _tensors(network)})
        return Subject(
            copied, torch.empty(example_shape, dtype=_type(network), device="meta"), nodes
        )
    generator = torch.Generator().manual_seed(0)
    example = torch.rand(example_shape, dtype=_type(network), generator=generator)
    return Subject(copy.deepcopy(network).cpu(), example, nodes)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _type(network: nn.Module) -> torch.dtype:
    kinds = (tensor.dtype for tensor in _tensors(network) if tensor.is_floating_point())
    return next(kinds, torch.float32)


def _weightless(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, tensor.requires_grad)
    return empty
