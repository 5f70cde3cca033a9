"""Densely Residual Laplacian Network (Anwar and Barnes, "Densely Residual Laplacian
Super-Resolution", TPAMI 2020, sections 3.1-3.3), for one luma channel."""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


def conv3(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    """Make a 3x3 convolution that keeps height and width."""
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions and a skip; (N, C, H, W) to (N, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = conv3(channels, channels)
        self.second = conv3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.second(relu(self.first(x))) + x)


class LaplacianAttention(nn.Module):
    """Weighs channels by a pyramid of dilated convolutions (3, 5, 7) over their means."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        inner = max(channels // reduction, 2)
        self.levels = nn.ModuleList([conv3(channels, inner, dilation) for dilation in (3, 5, 7)])
        self.gate = nn.Conv2d(3 * inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(2, 3), keepdim=True)
        pyramid = torch.cat([relu(level(means)) for level in self.levels], dim=1)
        return x * torch.sigmoid(self.gate(pyramid))


class DenseResidualModule(nn.Module):
    """Three residual units over growing concatenations, 1x1 fusion, Laplacian attention."""

    def __init__(self, width: int):
        super().__init__()
        self.units = nn.ModuleList([ResidualUnit(width * scale) for scale in (1, 2, 4)])
        self.fusion = nn.Conv2d(8 * width, width, 1)
        self.attention = LaplacianAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        dense = x
        for unit in self.units:
            dense = torch.cat([dense, unit(dense)], dim=1)
        weighed: Tensor = self.attention(relu(self.fusion(dense)))
        return weighed


class DRLN(nn.Module):
    """DRLN for luma in [0, 1]: (N, 1, H, W) to (N, 1, scale*H, scale*W).

    Modules are cascaded with medium skips (concatenation and 1x1 fusion of all so far), the
    whole body has a long skip, and the tail ends in a pixel shuffle. Unlike the original, what
    the tail makes is added to the nearest-neighbour enlargement of the input, so that short
    training suffices.
    """

    def __init__(self, width: int = 16, modules: int = 2, scale: int = 2):
        super().__init__()
        self.scale = scale
        self.head = conv3(1, width)
        self.cascade = nn.ModuleList([DenseResidualModule(width) for _ in range(modules)])
        self.fusions = nn.ModuleList([nn.Conv2d((n + 2) * width, width, 1) for n in range(modules)])
        self.body = conv3(width, width)
        self.tail = conv3(width, scale * scale)

    def forward(self, x: Tensor) -> Tensor:
        first = self.head(x)
        features, seen = first, first
        for module, fusion in zip(self.cascade, self.fusions, strict=True):
            seen = torch.cat([seen, module(features)], dim=1)
            features = relu(fusion(seen))
        details = self.tail(self.body(features) + first)
        enlarged = x.expand(-1, self.scale * self.scale, -1, -1)
        return torch.pixel_shuffle(details + enlarged, self.scale)
