"""Looking at what a network does without computing it."""

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from stages.device import device_of

T = TypeVar("T")


def unrun(look: Callable[[nn.Module, Tensor], T], network: nn.Module, shape: tuple[int, ...]) -> T:
    """What `look` finds as a copy of `network` runs on an input of `shape`.

    On the meta device, so the size costs nothing; a network that makes tensors on a device of its
    own, or looks at values, is run for real.
    """
    try:
        return look(copy.deepcopy(network).to("meta"), torch.empty(shape, device="meta"))
    except Exception:  # whatever a user's own forward pass may raise
        return look(copy.deepcopy(network), torch.zeros(shape, device=device_of(network)))
