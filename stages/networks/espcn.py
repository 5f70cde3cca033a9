"""Efficient sub-pixel network (Shi et al., "Real-Time Single Image and Video Super-Resolution
Using an Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016, section 3.3)."""

import torch
from torch import Tensor, nn


class ESPCN(nn.Module):
    """ESPCN for luma in [0, 1]: (N, 1, H, W) to (N, 1, scale*H, scale*W)."""

    def __init__(self, width: int = 64, scale: int = 2):
        super().__init__()
        self.scale = scale
        self.first = nn.Conv2d(1, width, 5, padding=2)
        self.second = nn.Conv2d(width, max(width // 2, 1), 3, padding=1)
        self.third = nn.Conv2d(max(width // 2, 1), scale * scale, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x))
        x = torch.tanh(self.second(x))
        return torch.pixel_shuffle(self.third(x), self.scale)
