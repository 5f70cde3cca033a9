"""Frames of noise, and how far two results are apart."""

import torch
from torch import Tensor, nn

from stages.upscaling.enlarger import scale_of

SAME = 1e-6  # of the largest value, or of 1


def frame(height: int, width: int, batch: int = 1) -> Tensor:
    return torch.rand(batch, 1, height, width, generator=torch.Generator().manual_seed(height))


def scale_by(network: nn.Module) -> int:
    return scale_of(network, (1, 1, 32, 32))


def difference(made: Tensor, whole: Tensor) -> float:
    assert made.shape == whole.shape
    return float((made - whole).abs().max() / whole.abs().max().clamp(min=1))
