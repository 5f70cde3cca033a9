"""Running a network so that all that it does can be seen, and done again just so."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves


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
