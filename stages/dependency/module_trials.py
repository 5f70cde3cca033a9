"""Trials of one group in one module: what is taken from inside of it cannot be seen outside.

Where every block of a network holds a group that must stay, each is to be tried alone. Running
the whole network for each would take its square; running its own module takes next to nothing.
"""

import copy
from collections.abc import Iterator
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from stages.dependency.calls import ModuleCall
from stages.dependency.differences import BREAKS, MOVES, OTHERS, Problem, difference
from stages.dependency.flow import Flow
from stages.dependency.graph import Group, layer_of
from stages.dependency.labels import AxisLabels, core, nodes_in
from stages.dependency.nodes import Labelling, Numbers, kept_axes
from stages.dependency.rules import rule_for
from stages.dependency.traced_network import TracedNetwork, run_in, tensors_in, text_of
from stages.dependency.units import Components
from stages.networks.indices import RemovedIndices
from stages.networks.reshape import remove_indices

Seen = tuple[Flow, list[AxisLabels]]  # a run of a module, and the labels of what it gave


class ModuleTrials:
    """Runs modules alone, on what they were called with in the run of the whole network."""

    def __init__(self, traced: TracedNetwork, parts: Components):
        self.traced, self.parts = traced, parts
        self._whole: dict[str, Seen | None] = {}
        self._at_the_border: dict[str, Numbers] = {}

    def module_of(self, group: Group) -> str | None:
        """The smallest module that can stand for the network in trials of a group, if any.

        It holds all tensors of the group, none of whose units go in or come out; it is called
        once; it is small; and run alone it does what it did in the network.
        """
        part = group.slices[0]
        units = self.parts.of[self.traced.nodes.numbers(part.tensor, part.axis, part.indices)]
        for name in _modules_around(group):
            call = self.traced.calls.only(name)
            if call is None or not call.can_be_repeated:
                continue
            if np.isin(self._border(name, call), units).any():
                continue
            return name if self._is_small(name) and self._run_whole(name) else None
        return None

    def _is_small(self, name: str) -> bool:
        """Whether a module is less than half of the network: of more, two runs save nothing."""
        network = self.traced.network
        own = sum(1 for _ in network.get_submodule(name).modules())
        return 2 * own < sum(1 for _ in network.modules())

    def problem(self, name: str, lost: RemovedIndices) -> Problem | None:
        """What goes wrong in a module without indices of its tensors, if anything."""
        whole = self._run_whole(name)
        assert whole is not None, "module_of gives such modules only"
        try:
            flow, labels = self._run(name, lost)
        except Exception as problem:  # whatever a user's own forward pass may raise
            return Problem(f"{BREAKS}: {text_of(problem)}")
        found = difference(flow, whole[0], self.traced.nodes, self.parts)
        if found is None and not self._same_units(labels, whole[1]):
            return Problem(f"{MOVES}: {OTHERS}")
        return found

    def _border(self, name: str, call: ModuleCall) -> Numbers:
        """The components whose nodes go into a module, or come out."""
        if name not in self._at_the_border:
            known = [labels for _, own in (*call.inputs, *call.outputs) for labels in own or ()]
            found = [np.empty(0, np.int64), *map(nodes_in, known)]
            self._at_the_border[name] = np.unique(self.parts.of[np.concatenate(found)])
        return self._at_the_border[name]

    def _run_whole(self, name: str) -> Seen | None:
        """The run of a whole module alone; None if it is not what it was in the network.

        So code that remembers, counts its calls or looks outside is not taken for a fault.
        """
        if name not in self._whole:
            call = self.traced.calls.only(name)
            assert call is not None
            try:
                seen = self._run(name, {})
            except Exception:  # whatever a user's own forward pass may raise
                self._whole[name] = None
                return None
            shapes = [tuple(tensor.shape) for tensor, _ in call.outputs]
            before = [labels or [] for _, labels in call.outputs]
            same = shapes == seen[0].output_shapes and self._same_units(before, seen[1])
            self._whole[name] = seen if same else None
        return self._whole[name]

    def _run(self, name: str, lost: RemovedIndices) -> Seen:
        call, nodes = self.traced.calls.only(name), self.traced.nodes
        assert call is not None
        module = self.traced.network.get_submodule(name)
        module = copy.deepcopy(module, {id(t): t for t in tensors_in(module)}).eval()
        remove_indices(module, {key.removeprefix(f"{name}."): axes for key, axes in lost.items()})
        flow = Flow(Labelling(module, nodes, kept_axes(nodes, lost), name), rule_for)
        fresh: dict[int, Tensor] = {}
        for tensor, labels in call.inputs:
            fresh[id(tensor)] = torch.empty_strided(
                tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device
            )
            flow.set(fresh[id(tensor)], list(map(_copied, labels or ())))
        args, kwargs = tree_map(lambda leaf: fresh.get(id(leaf), leaf), (call.args, call.kwargs))
        outputs = run_in(flow, module, *args, **kwargs)
        seen = flow, [flow.labels_of(tensor) for tensor in outputs]
        flow.forget()
        return seen

    def _same_units(self, before: list[AxisLabels], now: list[AxisLabels]) -> bool:
        """Whether outputs hold the same units at the same places."""
        return len(before) == len(now) and all(
            len(old) == len(new) and all(map(self._same_labels, old, new))
            for old, new in zip(before, now, strict=True)
        )

    def _same_labels(self, before: Tensor, now: Tensor) -> bool:
        # Labels below zero are no nodes: index -1 is the input's, and stands for those here.
        old, new = (self.parts.of[core(labels).clamp(min=-1).numpy()] for labels in (before, now))
        return bool((old == new).all())


def _modules_around(group: Group) -> Iterator[str]:
    """Names of the modules that hold all tensors of a group, from inside out, without the root."""
    paths = [layer_of(part.tensor).split(".") for part in group.slices]
    levels = takewhile(lambda level: len(set(level)) == 1, zip(*paths, strict=False))
    path = [level[0] for level in levels]
    for length in range(len(path), 0, -1):
        yield ".".join(path[:length])


def _copied(labels: Tensor) -> Tensor:
    """A copy: what is written in place in one run must not be seen by the next."""
    return core(labels).clone().expand(labels.shape)
