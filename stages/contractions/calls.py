"""Which weights the contractions of a network use, with what they take and give while it runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


@dataclass(frozen=True)
class Geometry:
    """How a convolution moves over its input."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int

    @property
    def taps(self) -> int:
        return prod(self.kernel)


@dataclass(frozen=True)
class Layer:
    """A weight that a contraction uses, and its bias; of attention, rows of a weight.

    `geometry` is None for a linear layer. `start` and `rows` count along the first axis.
    """

    weight: str
    start: int
    rows: int
    geometry: Geometry | None = None

    @property
    def groups(self) -> int:
        return self.geometry.groups if self.geometry else 1


@dataclass(frozen=True)
class Call:
    """One use of a layer: what goes in, and what comes out with or without its bias.

    Of a convolution (N, channels, ...), of a linear layer (positions, features).
    """

    layer: Layer
    bias: Tensor | None
    inputs: Tensor
    outputs: Tensor


class CallsSeen(TorchDispatchMode):
    """Tells `seen` of every contraction with a parameter of `network` that runs inside of it.

    `elsewhere` has the names of parameters that other operators compute with.
    """

    def __init__(self, network: nn.Module, seen: Callable[[Call], None]):
        super().__init__()
        self._seen, self._weights, self.elsewhere = seen, Weights(network), set[str]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        call = self._call(func, args, output) if not kwargs else None
        if call is not None:
            self._seen(call)
        elif not func.is_view:
            tensors = (leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor))
            self.elsewhere |= {found[0] for found in map(self._weights.find, tensors) if found}
        return output

    def _call(self, func: Any, args: Sequence[Any], output: Tensor) -> Call | None:
        if func is aten.convolution.default:
            inputs, weight, bias = args[:3]
            layer = self._weights.convolution(weight, args[3:])
        elif func in (aten.addmm.default, aten.mm.default):
            bias, inputs, weight = args if func is aten.addmm.default else (None, *args)
            layer = self._weights.linear(weight.t())
        else:
            return None
        return None if layer is None else Call(layer, bias, inputs, output)


class GradientsSeen(TorchDispatchMode):
    """Tells `seen` of every layer whose outputs' gradients come by in a backward pass.

    Gradients are of the shape of a call's outputs.
    """

    def __init__(self, network: nn.Module, seen: Callable[[Layer, Tensor], None]):
        super().__init__()
        self._seen, self._weights = seen, Weights(network)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        layer = None
        if func is aten.convolution_backward.default:
            layer = self._weights.convolution(args[2], args[4:10])
        elif func is aten.mm.default:  # the gradient of a linear layer's input
            layer = self._weights.linear(args[1])
        if layer is not None:
            self._seen(layer, args[0])
        return func(*args, **(kwargs or {}))


class Weights:
    """Finds the parameter of a network that an operator's argument is, or is a view of."""

    def __init__(self, network: nn.Module):
        self._by_storage: dict[int, list[tuple[str, Tensor]]] = {}
        for name, parameter in network.named_parameters():
            pointer = parameter.untyped_storage().data_ptr()
            self._by_storage.setdefault(pointer, []).append((name, parameter))

    def convolution(self, weight: Tensor, arguments: Sequence[Any]) -> Layer | None:
        """The layer of a convolution's weight and of what follows its bias in the call."""
        found = self.find(weight)
        if found is None or found[1].shape != weight.shape:
            return None
        stride, padding, dilation, transposed, extra, groups = arguments
        kernel = tuple(weight.shape[2:])
        moves = (tuple(stride), tuple(padding), tuple(dilation))
        geometry = Geometry(kernel, *moves, transposed, tuple(extra), groups)
        return Layer(found[0], 0, len(weight), geometry)

    def linear(self, weight: Tensor) -> Layer | None:
        """The layer of a matrix (outputs, inputs), which may be rows of a parameter."""
        found = self.find(weight)
        if found is None:
            return None
        name, whole = found
        offset = int(weight.storage_offset() - whole.storage_offset())
        start, rest = divmod(offset, whole.stride(0))
        alike = weight.shape[1:] == whole.shape[1:] and weight.stride() == whole.stride()
        return Layer(name, start, len(weight)) if whole.dim() == 2 and alike and not rest else None

    def find(self, tensor: Tensor) -> tuple[str, Tensor] | None:
        """The name and the parameter whose memory a tensor is."""
        for name, whole in self._by_storage.get(tensor.untyped_storage().data_ptr(), ()):
            inside = tensor.storage_offset() - whole.storage_offset()
            if 0 <= inside < whole.numel():  # several parameters may lie in one piece of memory
                return name, whole
        return None
