"""A network made positive, and how flow passes through it: gates held constant, no overflow."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from stages.weights.gates import attention, geometric_mean, held, held_mixture, softmax
from stages.weights.scaling import align, scale_bias, shift_of

# A positive network must not saturate: there these pass on what they are given. Powers and norms
# over activations do so, too, so that flow grows with the input, and not with a power of it.
PASSED_ON = {
    "hardtanh", "relu6", "hardswish", "tanh", "silu", "gelu", "elu", "selu", "celu", "softplus",
    "mish", "softsign", "logsigmoid", "log_softmax", "clamp", "clip", "square", "pow", "sqrt",
    "local_response_norm", "normalize",
}  # fmt: skip
GATES = {"sigmoid", "hardsigmoid", "rsqrt", "reciprocal", "rtruediv", "rdiv"}  # ... as gates
SCALED = {"layer_norm", "rms_norm", "group_norm", "batch_norm", "instance_norm"}
WEIGHT = {"layer_norm": 2, "rms_norm": 2, "group_norm": 2, "batch_norm": 3, "instance_norm": 3}
STATISTICS = {"batch_norm": (5, "training", False), "instance_norm": (5, "use_input_stats", True)}
PRODUCTS = {"mul", "multiply", "matmul", "bmm", "einsum", "bilinear"}
MIXING = {"linear", "conv1d", "conv2d", "conv3d", "matmul", "bmm", "einsum"}  # no gate comes out


def positive_copy(network: nn.Module) -> nn.Module:
    """A float64 copy with absolute parameters and no means; to be run inside a `PositiveFlow`."""
    copied = copy.deepcopy(network).cpu().double().eval()
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.requires_grad_(True).abs_()
        for module in copied.modules():
            if isinstance(module, _NormBase) and module.running_mean is not None:
                module.running_mean.zero_()
    return copied


@dataclass(frozen=True)
class Flow:
    """What is known of an activation: it stands for 2**exponent times itself; is it a gate."""

    exponent: int = 0
    gate: bool = False


class PositiveFlow(TorchFunctionMode):
    """Keeps the flow of a positive network positive, of first degree, and within range.

    Activations pass on what they are given and normalisation only scales, whichever module or
    function does it. What a gate (a sigmoid, a softmax) multiplies passes as if the gate were
    constant: nothing flows back through the gate, and `gated` keeps each such product with the
    share that the gate has in it, so that its own weights can be scored. Values beyond `LARGE` are
    divided by a power of two, which is remembered and made up for where they meet others: it is
    exact, and all scores share one factor.
    """

    def __init__(self, inputs: Tensor):
        super().__init__()
        self.flows = WeakTensorKeyDictionary({inputs: Flow()})
        self.gated: list[tuple[Tensor, Tensor]] = []

    def total(self, outputs: list[Tensor]) -> Tensor:
        """The sum of all elements of the outputs, over a power of two."""
        largest = max(self._exponent(output) for output in outputs)
        sums = [o.sum() * 2.0 ** (self._exponent(o) - largest) for o in outputs]
        return torch.stack(sums).sum()

    def _exponent(self, tensor: Tensor) -> int:
        flow: Flow = self.flows.get(tensor, Flow())
        return flow.exponent

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        flowing = [tensor for tensor in tensors if tensor in self.flows]
        if not flowing:
            return func(*args, **kwargs)
        name = func.__name__.strip("_")
        if name == "multi_head_attention_forward":
            with self:
                return _opened(func)(*args, **kwargs)
        done = self._special(name, flowing, args, kwargs)
        if done is None:
            done = self._plain(func, name, flowing, args, kwargs)
        result, flow = done
        return tree_map(lambda leaf: self._kept(leaf, flow, len(tensors) > 1), result)

    def _kept(self, leaf: Any, flow: Flow, grows: bool) -> Any:
        """Remember what is known of a result, within range."""
        if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
            return leaf
        self.flows[leaf] = flow
        shift = shift_of(leaf) if grows else 0
        if not shift:
            return leaf
        smaller = leaf * 2.0**-shift
        self.flows[smaller] = replace(flow, exponent=flow.exponent + shift)
        return smaller

    def _plain(
        self, func: Any, name: str, flowing: list[Tensor], args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, Flow]:
        """Run a function on activations of one scale."""
        flows = [self.flows[tensor] for tensor in flowing]
        gate = all(flow.gate for flow in flows) and name not in MIXING
        exponents = {id(t): flow.exponent for t, flow in zip(flowing, flows, strict=True)}
        if name in PRODUCTS:
            return func(*args, **kwargs), Flow(sum(exponents.values()), gate)
        args, kwargs, exponent = align(func.__name__, args, kwargs, exponents)
        args, kwargs = scale_bias(name, args, kwargs, exponent)
        result = func(*args, **kwargs)
        if name == "setitem":
            self.flows[args[0]] = Flow(exponent)
        return result, Flow(exponent, gate)

    def _special(
        self, name: str, flowing: list[Tensor], args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, Flow] | None:
        """What has a positive form of its own; None if it has none."""
        first, known = flowing[0], self.flows[flowing[0]]
        if name in PASSED_ON and len(flowing) == 1:
            return first, known
        if name in GATES or (name in ("sub", "rsub") and len(flowing) == 1 and known.gate):
            return first.view_as(first), replace(known, gate=True)
        if name == "softmax":
            axis = kwargs.get("dim", args[1] if len(args) > 1 else -1)
            return softmax(first, -1 if axis is None else axis), Flow(0, gate=True)
        if name in SCALED and not _is_linear(name, args, kwargs):
            weight = kwargs.get("weight", dict(enumerate(args)).get(WEIGHT[name]))
            return _scaled(first, weight, name not in ("layer_norm", "rms_norm")), known
        if name == "glu":
            value, gate = first.chunk(2, kwargs.get("dim", args[1] if len(args) > 1 else -1))
            return self._held(*held(value, gate)), known
        if name == "scaled_dot_product_attention":
            names = ("query", "key", "value")
            query, key, value = (*args, *(kwargs[n] for n in names[len(args) :]))[:3]
            mask = kwargs.get("attn_mask", args[3] if len(args) > 3 else None)
            mixed = attention(query, key, value, mask, kwargs.get("is_causal", False))
            return self._held(*mixed), self.flows.get(value, Flow())
        if len(args) > 1 and all(any(a is t for t in flowing) for a in args[:2]):
            return self._product(name, *args[:2])
        return None

    def _product(self, name: str, one: Tensor, two: Tensor) -> tuple[Any, Flow] | None:
        """A product, or a quotient, of two activations; None if it is none."""
        left, right = self.flows[one], self.flows[two]
        if name in ("div", "truediv", "true_divide"):
            return one * torch.ones_like(two), left
        if name in ("mul", "multiply"):
            if left.gate == right.gate:
                factors = align(
                    "", (one, two), {}, {id(one): left.exponent, id(two): right.exponent}
                )
                return geometric_mean(*factors[0]), Flow(factors[2], left.gate)
            value, gate, flow = (two, one, right) if left.gate else (one, two, left)
            return self._held(*held(value, gate)), flow
        if name in ("matmul", "bmm") and left.gate != right.gate:
            return self._held(*held_mixture(one, two, left.gate)), right if left.gate else left
        return None

    def _held(self, product: Tensor, share: Tensor) -> Tensor:
        self.gated.append((product, share))
        return product


def _is_linear(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether normalisation uses statistics that it was trained with."""
    if name not in STATISTICS:
        return False
    place, key, default = STATISTICS[name]
    return not kwargs.get(key, args[place] if len(args) > place else default)


def _scaled(x: Tensor, weight: Tensor | None, by_channel: bool) -> Tensor:
    if weight is None:
        return x
    return x * (weight.view(-1, *[1] * (x.dim() - 2)) if by_channel else weight)


def _opened(func: Any) -> Callable[..., Any]:
    """A function of PyTorch's that is seen as one, run so that those it calls are seen instead."""
    inside = {**func.__globals__, "has_torch_function": lambda _: False}
    opened = FunctionType(func.__code__, inside, argdefs=func.__defaults__)
    opened.__kwdefaults__ = func.__kwdefaults__
    return opened
