"""Proof by trial: a group is prunable if the network still works with some of its units gone.

A trial costs no arithmetic: the smaller network runs on the meta device, and labels flow through it
once more. What is left must meet what it met before.
"""

import torch
from torch import nn

from stages.dependency.differences import BREAKS, Problem, difference
from stages.dependency.graph import Graph, Group, Removed, removed_indices
from stages.dependency.module_trials import ModuleTrials
from stages.dependency.nodes import Labelling, kept_axes
from stages.dependency.traced_network import TracedNetwork, tensors_in, text_of
from stages.dependency.units import Components
from stages.networks.indices import Indices, RemovedIndices
from stages.networks.reshape import remove_indices


class WholeModule:
    """A module's own tensors and sizes, to put them back: much faster than to copy them again."""

    def __init__(self, module: nn.Module):
        self.module = module
        self.tensors = {**module._parameters, **module._buffers}
        kinds = int, bool, tuple, torch.Size
        self.sizes = {name: value for name, value in vars(module).items() if type(value) in kinds}

    def put_back(self) -> None:
        """Undo what removing indices, or running the module, has changed."""
        for name, tensor in self.tensors.items():
            setattr(self.module, name, tensor)  # recurrent layers list them elsewhere, too
        vars(self.module).update(self.sizes)


class Trials:
    """Takes units out of a traced network, and says what goes wrong without them."""

    def __init__(self, traced: TracedNetwork, graph: Graph, parts: Components):
        self.traced, self.graph, self.parts = traced, graph, parts
        self.asked = [one for flow in traced.whole.values() for one in flow.asked]
        self._whole = [WholeModule(module) for module in traced.network.modules()]
        self._in_modules = ModuleTrials(traced, parts)
        self._modules: dict[str, str | None] = {}  # by group
        self._alone: dict[tuple[str, bytes], Problem | None] = {}

    def together(self, removed: Removed) -> Problem | None:
        """What goes wrong in the whole network without the units `removed`, if anything."""
        lost = removed_indices(self.graph, removed)
        remove_indices(self.traced.network, lost)
        try:
            return self._problem_now(lost)
        finally:
            for module in self._whole:
                module.put_back()

    def alone(self, group: Group, units: Indices) -> Problem | None:
        """What goes wrong without units of one group; in its own module, if it has one."""
        key = group.name, units.tobytes()
        if key not in self._alone:
            removed, module = {group.name: units}, self.module_of(group)
            self._alone[key] = (
                self.together(removed)
                if module is None
                else self._in_modules.problem(module, removed_indices(self.graph, removed))
            )
        return self._alone[key]

    def module_of(self, group: Group) -> str | None:
        """The module in which a group is tried alone; None where it takes the whole network."""
        if group.name not in self._modules:
            self._modules[group.name] = self._in_modules.module_of(group)
        return self._modules[group.name]

    def _problem_now(self, lost: RemovedIndices) -> Problem | None:
        traced = self.traced
        labelling = Labelling(traced.network, traced.nodes, kept_axes(traced.nodes, lost))
        for mode, whole in traced.whole.items():
            try:
                flow = traced.trace(mode, labelling)
            except Exception as problem:  # whatever a user's own forward pass may raise
                near = _tensors_near(problem, traced.network)
                return Problem(f"{BREAKS}: {text_of(problem)}", near)
            if found := difference(flow, whole, traced.nodes, self.parts):
                return found
        return None


def _tensors_near(problem: Exception, network: nn.Module) -> set[str]:
    """Names of the tensors of the innermost module, with any, whose code raised."""
    modules = []
    frame = problem.__traceback__
    while frame is not None:
        modules.append(frame.tb_frame.f_locals.get("self"))
        frame = frame.tb_next
    names = {id(t): n for n, t in [*network.named_parameters(), *network.named_buffers()]}
    for module in reversed(modules):
        if isinstance(module, nn.Module) and module is not network:
            near = {names[id(t)] for t in tensors_in(module) if id(t) in names}
            if near:
                return near
    return set()
