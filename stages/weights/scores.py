"""Scores of single weights that need one look: magnitude, gradient, random."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def magnitude(weights: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """|w| (Han et al., NeurIPS 2015)."""
    return {name: weight.detach().abs() for name, weight in weights.items()}


def gradient_times_weight(
    weights: Mapping[str, nn.Parameter], gradients: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """|w * dL/dw|, to first order what the loss changes by without w (Lee et al., ICLR 2019)."""
    return {
        name: (weight.detach().cpu().double() * gradients[name].cpu().double()).abs()
        for name, weight in weights.items()
    }


def random_score(weights: Mapping[str, nn.Parameter], seed: int) -> dict[str, Tensor]:
    """Uniform numbers: the control that a score must beat."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(weight.shape, generator=generator, dtype=torch.float64)
        for name, weight in weights.items()
    }
