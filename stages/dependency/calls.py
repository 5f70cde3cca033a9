"""What goes into each module of a network and comes out of it, so that it can be run alone."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from stages.dependency.labels import AxisLabels
from stages.dependency.tracing import tensors_of

KnownLabels = Callable[[Tensor], AxisLabels | None]  # what a flow knows of an activation


@dataclass
class ModuleCall:
    """What a module was called with, and labels of the tensors that went in and came out."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: list[tuple[Tensor, AxisLabels | None]]
    outputs: list[tuple[Tensor, AxisLabels | None]] = field(default_factory=list)

    @property
    def can_be_repeated(self) -> bool:
        """Whether all that went in is tensors made on the way, or does not depend on channels.

        A whole number may have been counted from channels, and would be another without some.
        """
        leaves = tree_leaves((self.args, self.kwargs))
        known = all(labels is not None for _, labels in (*self.inputs, *self.outputs))
        return known and all(isinstance(x, Tensor | str | bool | None) for x in leaves)


@dataclass
class ModuleCalls:
    """The calls of a network's modules in one run; its root is none of them."""

    count: Counter[str] = field(default_factory=Counter)
    last: dict[str, ModuleCall] = field(default_factory=dict)

    def only(self, name: str) -> ModuleCall | None:
        """The call of a module that was called once."""
        return self.last[name] if self.count[name] == 1 else None

    @contextmanager
    def recorded(self, network: nn.Module, known: KnownLabels) -> Iterator[None]:
        """Record the calls of `network`'s modules while it runs."""
        handles = []
        for name, module in network.named_modules():
            if name:
                before = partial(self._enter, name, known)
                handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
                handles.append(module.register_forward_hook(partial(self._leave, name, known)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(
        self, name: str, known: KnownLabels, _: nn.Module, args: Any, kwargs: dict[str, Any]
    ) -> None:
        self.count[name] += 1
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        self.last[name] = ModuleCall(args, kwargs, _with_labels(inputs, known))

    def _leave(self, name: str, known: KnownLabels, _: nn.Module, args: Any, output: Any) -> None:
        self.last[name].outputs = _with_labels(tensors_of(output), known)


def _with_labels(
    tensors: list[Tensor], known: KnownLabels
) -> list[tuple[Tensor, AxisLabels | None]]:
    """Tensors with what is known of them now: later operators in place may change it."""
    found = [(tensor, known(tensor)) for tensor in tensors]
    return [(tensor, None if labels is None else list(labels)) for tensor, labels in found]
