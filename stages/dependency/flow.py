"""Label flow: run a network once and see which indices must be removed together.

Beside each activation travels an integer tensor of its shape: for each element, the node that
produced it. Rules (`rules/`) say, operator by operator, how labels move and which couple. A
parameter has one such tensor for each of its axes, an activation has one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from stages.dependency.labels import NONE, AxisLabels, core, filled, line_of, nodes_in
from stages.dependency.nodes import Labelling, Numbers
from stages.dependency.operators import MOVES_IN_PLACE, computes
from stages.dependency.shortcuts import result_of
from stages.dependency.widths import Comparison

Rule = Callable[["Flow", Any, Sequence[Any], dict[str, Any], Any], list[AxisLabels]]
View = tuple[tuple[int, ...], set[int]]  # a shape, and the axes along which nodes differ

MANY = 100_000  # couplings of one operator, from which on those that repeat are dropped at once


class Flow(TorchDispatchMode):
    """Sees every ATen operator of a forward pass, and records what it does to labels.

    All lists are in the order in which operators ran. It counts: groups come in the order of
    `contraction_outputs`; of several reasons in `frozen` the first is kept, as the one nearest to
    the cause; and `constants`, `view_shapes` and `slices` of a smaller network are compared with
    those of the whole one place by place.
    """

    def __init__(self, labelling: Labelling, rule_for: Callable[[Any], Rule]):
        super().__init__()
        self.labelling, self.rule_for = labelling, rule_for
        self.pairs: list[Numbers] = []  # (2, any) nodes that must go together
        self.frozen: list[tuple[Numbers, str]] = []
        self.contraction_outputs: list[Numbers] = []
        self.contraction_inputs: list[Numbers] = []
        self.constants: list[tuple[Any, ...]] = []  # operators, and numbers that they are given
        self.view_shapes: list[View] = []  # of activations
        self.slices: list[Numbers] = []  # nodes of each part that is cut out by its place
        self.asked: list[Comparison] = []  # of numbers that count channels
        self.open_axes: set[int] = set()  # of the view that is made now, by the user's code
        self.output_shapes: list[tuple[int, ...]] = []
        self.seen: set[str] = set()  # the network's own tensors that were used
        # By the tensor's id, and with the tensor, so that no other takes its id meanwhile.
        self._known: dict[int, tuple[Tensor, AxisLabels]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, names = kwargs or {}, self.labelling.names
        output = result_of(func, args, kwargs)
        self.seen.update(names[id(a)] for a in args if id(a) in names)
        numbers = [a for a in (*args, *kwargs.values()) if isinstance(a, float)]
        if numbers or computes(func):
            self.constants.append((func, *numbers))
        labels = self.rule_for(func)(self, func, args, kwargs, output)
        for tensor, axis_labels in zip(as_sequence(output), labels, strict=False):
            if isinstance(tensor, Tensor):
                self._remember(tensor, axis_labels, moved=func in MOVES_IN_PLACE)
        return output

    def labels_of(self, tensor: Tensor) -> AxisLabels:
        """Return what is known of a tensor; NONE everywhere if nothing is."""
        known = self._known.get(id(tensor))
        if known is None:
            axis_labels = self.labelling.labels_of(tensor)
            if axis_labels is None:
                axis_labels = [filled(tensor.shape, NONE)]
            else:
                self.seen.add(self.labelling.names[id(tensor)])
            known = self._known[id(tensor)] = (tensor, axis_labels)
        return known[1]

    def known_labels(self, tensor: Tensor) -> AxisLabels | None:
        """What is known of an activation; None for the network's own tensors, and for others."""
        known = self._known.get(id(tensor))
        return None if known is None or id(tensor) in self.labelling.names else known[1]

    def set(self, tensor: Tensor, labels: AxisLabels) -> None:
        """Start a label flow at a tensor."""
        self._known[id(tensor)] = (tensor, labels)

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

    def note_slice(self, part: Tensor) -> None:
        """Note what a part holds that the code cuts out by its place."""
        self.slices.append(nodes_in(part))

    def keep_even(self, nodes: Tensor, parts: int) -> None:
        """Equal parts of an axis stay equal: what goes from one goes from all."""
        apart = nodes.view(parts, -1)
        self.couple(apart, apart[:1])

    def note_contraction(self, made: Tensor | None, read: Tensor | None) -> None:
        """Note that a contraction makes channels of these nodes and sums over those."""
        if made is not None:
            self.contraction_outputs.append(made.reshape(-1).numpy())
        if read is not None:
            self.contraction_inputs.append(read.reshape(-1).numpy())

    def forget(self) -> None:
        """Let go of all tensors that were seen."""
        self._known.clear()

    def nodes_along(self, tensor: Tensor, axis: int) -> Numbers | None:
        """The nodes along an axis, if it may be one of channels; for use while code runs, too."""
        name = self.labelling.names.get(id(tensor))
        if name is not None:
            with _disable_current_modes():
                return self.labelling.along(name, axis % tensor.dim()).numpy()
        known = self._known.get(id(tensor))
        if known is None or len(known[1]) > 1 or known[1][0].stride(axis) == 0:
            return None
        return line_of(known[1][0], axis)

    def _remember(self, tensor: Tensor, axis_labels: AxisLabels, moved: bool) -> None:
        known = self._known.get(id(tensor))
        same = known is not None and known[0] is tensor and len(known[1]) == len(axis_labels)
        if known is None or not same or moved:
            self._known[id(tensor)] = (tensor, axis_labels)
            return
        for place, (old, new) in enumerate(zip(known[1], axis_labels, strict=True)):
            if old is not new:  # an operator in place: what held a node is made by both now
                self.couple(old, new)
                known[1][place] = _written(old, new)


def as_sequence(output: Any) -> Sequence[Any]:
    """What an operator gives, as a sequence whether it is one or not."""
    return output if isinstance(output, list | tuple) else [output]


def _written(old: Tensor, new: Tensor) -> Tensor:
    """Write labels where there were none, and return them.

    Code such as `x[:, :4] = y` writes into a view of `x`. Its labels are a view of those of `x`,
    so writing them in place labels `x` too, as the values are shared.
    """
    held = core(old)
    if bool((held >= 0).all()):
        return old
    if held.shape != old.shape:  # expanded labels have no room: views made before do not follow
        return new
    old.copy_(torch.where(old >= 0, old, new))
    return old
