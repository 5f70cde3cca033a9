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
from torch.utils._pytree import tree_leaves

from stages.channels.nodes import NONE, Nodes

Facets = list[Tensor]
Rule = Callable[["Flow", Any, Sequence[Any], dict[str, Any], Any], list[Facets]]


class Flow(TorchDispatchMode):
    """Sees every ATen operator of a forward pass; collects couplings, roles and frozen nodes."""

    def __init__(self, nodes: Nodes, rule_for: Callable[[Any], Rule]):
        super().__init__()
        self.nodes, self.rule_for = nodes, rule_for
        self.pairs: list[NDArray[np.int64]] = []
        self.frozen: dict[int, str] = {}
        self.makes: dict[int, int] = {}  # node made by a contraction: the order in which
        self.reads: set[int] = set()  # nodes of axes that a contraction sums over
        self._known: dict[int, tuple[Tensor, list[Tensor]]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        labels = self.rule_for(func)(self, func, args, kwargs, output)
        outputs = output if isinstance(output, list | tuple) else [output]
        for tensor, facets in zip(outputs, labels, strict=False):
            if isinstance(tensor, Tensor):
                self._remember(tensor, facets)
        return output

    def facets(self, tensor: Tensor) -> list[Tensor]:
        """Return what is known of a tensor; NONE everywhere if nothing is."""
        if id(tensor) not in self._known:
            name = self.nodes.identities.get(id(tensor))
            if name in self.nodes.tensors:
                known = self.nodes.facets(name)
            else:
                known = [torch.full(tensor.shape, NONE)]
            self._known[id(tensor)] = (tensor, known)
        return self._known[id(tensor)][1]

    def set(self, tensor: Tensor, labels: Tensor) -> None:
        """Start a label flow at a tensor."""
        self._known[id(tensor)] = (tensor, [labels])

    def couple(self, one: Tensor, other: Tensor) -> None:
        """Nodes that meet at equal places (after broadcasting) must be removed together."""
        one, other = torch.broadcast_tensors(one, other)
        pairs = torch.stack([one.reshape(-1), other.reshape(-1)])
        pairs = pairs[:, (pairs >= 0).all(0) & (pairs[0] != pairs[1])]
        if pairs.numel():
            self.pairs.append(np.unique(pairs.numpy(), axis=1))

    def freeze(self, labels: Tensor, reason: str) -> None:
        """Keep the nodes that occur in `labels`, and say why."""
        for node in labels.unique().tolist():
            if node != NONE:
                self.frozen.setdefault(node, reason)

    def produce(self, nodes: Tensor) -> None:
        """Note that a contraction makes these nodes' channels."""
        for node in nodes.tolist():
            self.makes.setdefault(node, len(self.makes))

    def read(self, nodes: Tensor) -> None:
        """Note that a contraction sums over these nodes' channels."""
        self.reads.update(nodes.tolist())

    def _remember(self, tensor: Tensor, facets: list[Tensor]) -> None:
        known = self._known.get(id(tensor))
        if known is None or known[0] is not tensor:
            self._known[id(tensor)] = (tensor, facets)
        elif len(known[1]) == len(facets):
            # In place: labels are written in place too, so that views of them follow.
            for old, new in zip(known[1], facets, strict=True):
                if old is not new and not _expanded(old):
                    old.copy_(new)


def _expanded(labels: Tensor) -> bool:
    return any(
        step == 0 and size > 1 for step, size in zip(labels.stride(), labels.shape, strict=True)
    )


def trace(
    network: nn.Module, inputs: Tensor, rule_for: Callable[[Any], Rule]
) -> tuple[Nodes, Flow]:
    """Run `network` once on `inputs` in eval mode and collect what its operators couple.

    What depends on the network's input or makes its output is frozen: a pruned network takes and
    gives the same shapes.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    nodes = Nodes(network)
    flow = Flow(nodes, rule_for)
    # One node beyond all others stands for the input.
    flow.set(inputs, torch.full(inputs.shape, nodes.count))
    flow.frozen[nodes.count] = "it reaches the network's input"
    with torch.no_grad(), flow:
        output = network(inputs)
    for tensor in tree_leaves(output):
        if isinstance(tensor, Tensor):
            for facet in flow.facets(tensor):
                flow.freeze(facet, "it reaches the network's output")
    for module, training in modes:
        module.training = training
    return nodes, flow
