"""Running a network so that all that it does can be seen, and done again just so."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

SPELLED_OUT = torch.tensor, torch.as_tensor, Tensor.new_tensor
RMS_NORM = ("input", "normalized_shape", "weight", "eps")  # its parameters


def tensors_of(output: Any) -> list[Tensor]:
    """All tensors of an output, those of data classes and other objects among them."""
    found: list[Tensor] = []
    waiting, seen = [output], set()
    while waiting:
        for leaf in tree_leaves(waiting.pop(0)):
            if isinstance(leaf, Tensor):
                found.append(leaf)
            elif id(leaf) not in seen and hasattr(leaf, "__dict__"):
                seen.add(id(leaf))
                waiting.append(vars(leaf))
    return found


class Calls(TorchFunctionMode):
    """Sees what operators do not show: tensors that the code spells out, and RMS norms.

    Most devices take an RMS norm apart; it is shown as the layer norm that couples the same.
    """

    def __init__(self, constants: list[tuple[Any, ...]]):
        super().__init__()
        self.constants = constants

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in SPELLED_OUT and not any(isinstance(a, Tensor) for a in args[-1:]):
            self.constants.append((func, repr((args[-1:], kwargs))))
        if func is not functional.rms_norm:
            return func(*args, **kwargs)
        named = dict(zip(RMS_NORM, args, strict=False)) | kwargs
        return functional.layer_norm(named["input"], named["normalized_shape"], named.get("weight"))


@contextmanager
def same_draws() -> Iterator[None]:
    """Every run draws the same random numbers, and uses up none of the caller's."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def unfused() -> Iterator[None]:
    """Kernels that do several layers' work are not used inside, so that operators are seen."""
    fast, mkldnn = torch.backends.mha.get_fastpath_enabled(), torch._C._get_mkldnn_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch._C._set_mkldnn_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        torch._C._set_mkldnn_enabled(mkldnn)
