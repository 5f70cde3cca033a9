"""Label flow: run a network once and see which indices must be removed together.

Beside each activation travels an integer tensor of its shape: for each element, the node that
produced it. Rules (`rules.py`) say, operator by operator, how labels move and which couple. A
parameter has one such tensor (a facet) for each of its axes, an activation has one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from stages.dependency.labels import NONE, core, filled, nodes_in
from stages.dependency.nodes import Labelling
from stages.dependency.shortcuts import result_of
from stages.dependency.tracing import Calls, same_draws, tensors_of, unfused

Facets = list[Tensor]
Rule = Callable[["Flow", Any, Sequence[Any], dict[str, Any], Any], list[Facets]]
Nodes = NDArray[np.int64]
View = tuple[tuple[int, ...], set[int]]  # a shape, and the axes along which nodes differ

MANY = 100_000  # couplings of one operator, from which on those that repeat are dropped at once


class Flow(TorchDispatchMode):
    """Sees every ATen operator of a forward pass; collects couplings, roles and frozen nodes."""

    def __init__(self, labelling: Labelling, rule_for: Callable[[Any], Rule]):
        super().__init__()
        self.labelling, self.rule_for = labelling, rule_for
        self.pairs: list[NDArray[np.int64]] = []  # (2, any) nodes that must go together
        self.frozen: list[tuple[Nodes, str]] = []
        self.outputs: list[tuple[int, ...]] = []  # shapes of what the network gives
        self.made: list[Nodes] = []  # by contractions, in their order
        self.read: list[Nodes] = []  # axes that contractions sum over
        self.constants: list[tuple[Any, ...]] = []  # operators, and numbers that they are given
        self.views: list[View] = []  # of activations
        self.cuts: list[Nodes] = []  # what each part that is cut out of a tensor holds
        self.seen: set[str] = set()  # the network's own tensors that were used
        self._known: dict[int, tuple[Tensor, Facets]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        output = result_of(func, args, kwargs)
        numbers = [a for a in (*args, *kwargs.values()) if isinstance(a, float)]
        if numbers:
            self.constants.append((func, *numbers))
        labels = self.rule_for(func)(self, func, args, kwargs, output)
        for tensor, facets in zip(several(output), labels, strict=False):
            if isinstance(tensor, Tensor):
                self._remember(tensor, facets)
        return output

    def facets(self, tensor: Tensor) -> Facets:
        """Return what is known of a tensor; NONE everywhere if nothing is."""
        known = self._known.get(id(tensor))
        if known is None:
            facets = self.labelling.facets(tensor)
            if facets is None:
                facets = [filled(tensor.shape, NONE)]
            else:
                self.seen.add(self.labelling.names[id(tensor)])
            known = self._known[id(tensor)] = (tensor, facets)
        return known[1]

    def set(self, tensor: Tensor, labels: Tensor) -> None:
        """Start a label flow at a tensor."""
        self._known[id(tensor)] = (tensor, [labels])

    def couple(self, one: Tensor, other: Tensor) -> None:
        """Nodes that meet at equal places (after broadcasting) must be removed together."""
        one, other = core(one), core(other)
        if one.shape != other.shape:
            one, other = torch.broadcast_tensors(one, other)
        first, second = one.reshape(-1).numpy(), other.reshape(-1).numpy()
        apart = (first != second) & (first >= 0) & (second >= 0)
        if not apart.any():
            return
        pairs = np.array([first[apart], second[apart]])
        if pairs.shape[1] > MANY:
            size = self.labelling.nodes.count + 1
            pairs = np.stack(np.divmod(np.unique(pairs[0] * size + pairs[1]), size))
        self.pairs.append(pairs)

    def freeze(self, labels: Tensor, reason: str) -> None:
        """Keep the nodes that occur in `labels`, and say why."""
        nodes = nodes_in(labels)
        if len(nodes):
            self.frozen.append((nodes, reason))

    def cut(self, part: Tensor) -> None:
        """Note what a part holds that the code cuts out by its place."""
        self.cuts.append(nodes_in(part))

    def keep_even(self, nodes: Tensor, parts: int) -> None:
        """Equal parts of an axis stay equal: what goes from one goes from all."""
        apart = nodes.view(parts, -1)
        self.couple(apart, apart[:1])

    def contract(self, made: Tensor | None, read: Tensor | None) -> None:
        """Note that a contraction makes channels of these nodes and sums over those."""
        if made is not None:
            self.made.append(made.reshape(-1).numpy())
        if read is not None:
            self.read.append(read.reshape(-1).numpy())

    def forget(self) -> None:
        """Let go of all tensors that were seen."""
        self._known.clear()

    def _remember(self, tensor: Tensor, facets: Facets) -> None:
        known = self._known.get(id(tensor))
        if known is None or known[0] is not tensor or len(known[1]) != len(facets):
            self._known[id(tensor)] = (tensor, facets)
            return
        for place, (old, new) in enumerate(zip(known[1], facets, strict=True)):
            if old is not new:  # in place: what held another node is made by both now
                self.couple(old, new)
                known[1][place] = _written(old, new)


def several(output: Any) -> Sequence[Any]:
    """What an operator gives, as a sequence whether it is one or not."""
    return output if isinstance(output, list | tuple) else [output]


def _written(old: Tensor, new: Tensor) -> Tensor:
    """Write labels where there were none, in place if it can be, so that views of them follow."""
    held = core(old)
    if bool((held >= 0).all()):
        return old
    if held.shape != old.shape:  # one value for many places: views made before do not follow
        return new
    old.copy_(torch.where(old >= 0, old, new))
    return old


def trace(
    network: nn.Module, inputs: Tensor, labelling: Labelling, rule_for: Callable[[Any], Rule]
) -> Flow:
    """Run `network` once on `inputs` as it is; returns what its operators couple.

    What depends on the network's input or makes its output is frozen: a pruned network takes and
    gives the same shapes. Fused kernels are kept from hiding their operators.
    """
    flow = Flow(labelling, rule_for)
    _couple_recurrent(network, flow)
    # One node beyond all others stands for the input.
    count = labelling.nodes.count
    flow.set(inputs, filled(inputs.shape, count))
    flow.frozen.append((np.array([count]), "it reaches the network's input"))
    with torch.no_grad(), unfused(), same_draws(), Calls(flow.constants), flow:
        output = network(inputs)
    for tensor in tensors_of(output):
        flow.outputs.append(tuple(tensor.shape))
        for facet in flow.facets(tensor):
            flow.freeze(facet, "it reaches the network's output")
    flow.forget()
    return flow


def _couple_recurrent(network: nn.Module, flow: Flow) -> None:
    """All layers and directions of a recurrent module have one hidden size."""
    for module in network.modules():
        if isinstance(module, nn.RNNBase):
            hidden = [
                facets[1]
                for name, tensor in module.named_parameters()
                if name.startswith("weight_hh") and (facets := flow.facets(tensor))
            ]
            for other in hidden[1:]:
                flow.couple(hidden[0][:1], other[:1])
