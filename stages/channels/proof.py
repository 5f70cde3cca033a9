"""The proof that removal computes what masking does, on one input."""

import copy
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stages.channels.masking import kept_statistics, mask_channels
from stages.channels.removal import remove_channels
from stages.dependency.graph import Graph, Removed, removed_indices
from stages.dependency.tracing import tensors_of

DOUBLE, SINGLE = "float64", "float32"
LIMITS = {DOUBLE: 1e-9, SINGLE: 1e-5}  # relative; well above rounding, below what a wrong unit does
COMPLEX = {torch.complex32, torch.complex64}


@dataclass(frozen=True)
class Proof:
    """How far a network without units is from the network with them masked.

    The error is relative, the largest over all outputs; the precision is that of the arithmetic.
    """

    error: float
    precision: str

    @property
    def limit(self) -> float:
        return LIMITS[self.precision]

    @property
    def holds(self) -> bool:
        return self.error <= self.limit


def masking_proof(network: nn.Module, example: Tensor, graph: Graph, removed: Removed) -> Proof:
    """Compare the network without the units `removed` with the network with them masked.

    Where a normalisation runs over channels, the masked network takes its statistics over those
    that are kept, as the smaller one does. Both run in double precision, where rounding does not
    hide a fault nor look like one; where the code allows single precision only, that is its
    proof's.

    Raises:
        RuntimeError: if it does not run, or gives another shape.
    """
    rounded = RoundedResults()
    try:
        outputs = _outputs(network, example.double(), graph, removed, rounded)
    except Exception:  # whatever code written for single precision may raise
        return Proof(_error(*_outputs(network, example, graph, removed, None)), SINGLE)
    error = _error(*outputs)
    # Code may turn to single precision on its way, as for a softmax, and back.
    single = error > LIMITS[DOUBLE] and rounded.found
    return Proof(error, SINGLE if single else DOUBLE)


def _outputs(
    network: nn.Module,
    example: Tensor,
    graph: Graph,
    removed: Removed,
    rounded: "RoundedResults | None",
) -> tuple[list[Tensor], list[Tensor]]:
    """What the network gives without the units, and with them masked.

    If `rounded` is to watch it, it runs in double precision. Each of the two has a copy of the
    input, for code may write into it.
    """
    pruned, masked = copy.deepcopy(network).eval(), copy.deepcopy(network).eval()
    remove_channels(pruned, graph, removed)
    mask_channels(masked, graph, removed)
    if rounded is not None:
        pruned, masked = _doubled(pruned), _doubled(masked)
    with torch.no_grad(), rounded if rounded is not None else nullcontext():
        without = tensors_of(pruned(example.clone()))
        with kept_statistics(masked, removed_indices(graph, removed)):
            return without, tensors_of(masked(example.clone()))


def _error(pruned: Sequence[Tensor], masked: Sequence[Tensor]) -> float:
    pairs = list(zip(pruned, masked, strict=True))
    for one, other in pairs:
        if one.shape != other.shape:
            raise RuntimeError(f"the output is {tuple(one.shape)}, not {tuple(other.shape)}")
    return max(relative_error(one, other) for one, other in pairs)


def _doubled(network: nn.Module) -> nn.Module:
    """The network in double precision, in place; `double` alone leaves complex numbers out."""
    network.double()._apply(
        lambda tensor: tensor.to(torch.complex128) if tensor.dtype in COMPLEX else tensor
    )
    return network


class RoundedResults(TorchDispatchMode):
    """Notes whether any operator inside of it gives numbers of less than double precision."""

    found = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor):
                single = tensor.is_floating_point() and tensor.dtype != torch.float64
                self.found = self.found or single or tensor.dtype in COMPLEX
        return output


def relative_error(one: Tensor, other: Tensor) -> float:
    """Largest difference of two outputs, as a share of the largest value of `other`.

    However small the values are: where all of `other` are zero, any difference is infinite. So it
    is where either holds what is no finite number: that proves nothing.
    """
    if not other.numel():
        return 0.0
    if not other.is_complex():
        one, other = one.double(), other.double()  # a difference of flags or bytes is none
    difference, scale = float((one - other).abs().max()), float(other.abs().max())
    if difference == 0:
        return 0.0
    error = difference / scale if scale else math.inf
    return error if math.isfinite(error) else math.inf
