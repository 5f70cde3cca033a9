"""Multiply-accumulates of a network, by a formula an operator, and what has no formula."""

from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from stages.dependency.tracing import same_draws, unfused
from stages.measuring.formulas import formula_of
from stages.measuring.unrun import unrun


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates, and the layers that they leave out: each with its operator.

    `by_tensor` are those of each parameter; what is left is of activations with each other.
    """

    count: int
    not_counted: dict[str, str] = field(default_factory=dict)
    by_tensor: dict[str, int] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What is left out, in a line; empty if nothing is."""
        if not self.not_counted:
            return ""
        parts = ", ".join(f"{layer} ({operator})" for layer, operator in self.not_counted.items())
        return f"MACs leave out {parts}: no formula is known"


def macs_of(network: nn.Module, shape: tuple[int, ...]) -> Macs:
    """Multiply-accumulates of all contractions for an input of `shape`.

    Each product of a weight or an activation that is summed counts once; biases, normalisation,
    activations and interpolation do not.
    """
    return unrun(_count, network, shape)


def _count(network: nn.Module, inputs: Tensor) -> Macs:
    counter = _Counter(network.eval())
    without_cudnn = torch.backends.cudnn.flags(enabled=False)  # its recurrent kernels are fused
    with torch.no_grad(), unfused(), without_cudnn, same_draws(), counter:
        network(inputs)
    return Macs(counter.macs, counter.not_counted, counter.by_tensor)


class _Counter(TorchDispatchMode):
    """Adds up what operators multiply, and notes parameters that go into one without a formula."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.macs, self.not_counted = 0, dict[str, str]()
        self.by_tensor = dict[str, int]()
        self._names = WeakTensorKeyDictionary()  # of parameters and what is made of them alone
        self._names.update(dict.fromkeys(network.buffers(), ""))
        self._names.update({tensor: name for name, tensor in network.named_parameters()})

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        with self:
            made = func.decompose(*args, **kwargs)
        if made is not NotImplemented:
            return made
        made = func(*args, **kwargs)
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]
        own = [tensor for tensor in inputs if tensor in self._names]
        names = [self._names[tensor] for tensor in own]
        name = next(filter(None, names), "")
        formula = formula_of(func)
        if formula:
            macs = formula(*args, **kwargs, out_val=made)
            self.macs += macs
            if name:  # of a weight, not of its bias
                name = self._names[max(own, key=lambda t: (t.ndim, t.numel()))] or name
                self.by_tensor[name] = self.by_tensor.get(name, 0) + macs
        elif names and len(names) == len(inputs):
            self._names.update(dict.fromkeys(outputs, name))
        elif name and not _multiplies_nothing(func, inputs, outputs, self._names):
            self.not_counted.setdefault(name.rpartition(".")[0] or name, func.name())
        return made


def _multiplies_nothing(
    func: Any, inputs: list[Tensor], outputs: list[Tensor], own: WeakTensorKeyDictionary
) -> bool:
    """Whether an operator only scales, shifts, normalises, looks up or moves numbers.

    Multiplying each activation by several weights is half of a contraction that is spelled out.
    """
    if torch.Tag.pointwise not in func.tags:
        return func.name().partition("::")[2].partition(".")[0] in NO_CONTRACTION
    given = max((_distinct(tensor) for tensor in inputs if tensor not in own), default=0)
    spread = any(tensor.numel() > given for tensor in outputs)
    return not (spread and func.name().startswith("aten::mul"))


def _distinct(tensor: Tensor) -> int:
    """How many elements there are, repetitions by `expand` left out."""
    return prod(n for n, step in zip(tensor.shape, tensor.stride(), strict=True) if step)


# Operators that may take parameters beside activations and are no contraction.
NO_CONTRACTION = {
    "rsub", "_prelu_kernel", "native_layer_norm", "native_group_norm", "native_batch_norm",
    "_fused_rms_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
    "_batch_norm_with_update", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "embedding",
    "_embedding_bag", "_embedding_bag_forward_only", "index", "index_select", "gather", "take",
    "index_put", "index_put_", "_index_put_impl_", "index_add", "index_copy", "scatter",
    "scatter_add", "masked_fill", "masked_scatter", "cat", "stack", "copy_", "fill_",
    "select_scatter", "slice_scatter",
}  # fmt: skip
