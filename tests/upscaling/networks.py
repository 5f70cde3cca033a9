"""Networks that mix positions in different ways; weights are large enough to show it."""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, softmax

from stages.networks.drln import DRLN
from stages.networks.espcn import ESPCN


def conv(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)


class PooledAttention(nn.Module):
    """Channel attention as in RCAN, its pool a layer or a function."""

    def __init__(self, width: int, layer: bool):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1) if layer else None
        self.body = nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width))
        self.gate = nn.Sequential(nn.Conv2d(width, 2, 1), nn.ReLU(), nn.Conv2d(2, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        made = self.body(x)
        mean = self.pool(made) if self.pool else adaptive_avg_pool2d(made, (1, 1))
        return x + made * torch.sigmoid(self.gate(mean))


class RCANLike(nn.Module):
    """Averages are taken at the frame's resolution, and once at twice that."""

    def __init__(self, width: int = 6, scale: int = 2):
        super().__init__()
        blocks = [PooledAttention(width, layer) for layer in (True, False)]
        self.before = nn.Sequential(conv(1, width), *blocks, conv(width, scale * scale * width))
        self.shuffle = nn.PixelShuffle(scale)
        self.after = nn.Sequential(PooledAttention(width, True), conv(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.shuffle(self.before(x)))


class UNetLike(nn.Module):
    """Strides down to a share of the resolution, an average there, and the way back."""

    def __init__(self, depth: int = 3, width: int = 4, scale: int = 2):
        super().__init__()
        ways = range(depth)
        self.first = conv(1, width)
        self.down = nn.ModuleList([nn.Conv2d(width, width, 3, 2, 1) for _ in ways])
        self.middle = PooledAttention(width, True)
        self.up = nn.ModuleList([nn.ConvTranspose2d(width, width, 2, 2) for _ in ways])
        self.last = nn.Sequential(conv(width, scale * scale), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        seen = []
        for down in self.down:
            seen.append(x)
            x = torch.relu(down(x))
        x = self.middle(x)
        for up in self.up:
            skip = seen.pop()
            x = torch.tanh(up(x))[..., : skip.shape[2], : skip.shape[3]] + skip
        return self.last(x)


class Shuffled(nn.Module):
    """Positions become channels, in blocks of 4 x 4, and reflect at the border."""

    def __init__(self, width: int = 8, scale: int = 2):
        super().__init__()
        self.body = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(16, width, 3, padding=1, padding_mode="reflect"),
            nn.PReLU(),
            nn.Conv2d(width, 16 * scale * scale, 3, padding=1, padding_mode="replicate"),
            nn.PixelShuffle(4 * scale),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def dilated(width: int = 6, scale: int = 2) -> nn.Module:
    """Looks 24 pixels far."""
    layers = [conv(1, width), *(conv(width, width, n) for n in (3, 8, 11)), conv(width, scale**2)]
    return nn.Sequential(
        *(layer for found in layers for layer in (found, nn.LeakyReLU())), nn.PixelShuffle(scale)
    )


class Mixing(nn.Module):
    """Mixes all positions in a way of its own, at half the frame's resolution."""

    def __init__(self, mix: nn.Module, width: int = 4):
        super().__init__()
        self.first, self.mix = nn.Conv2d(1, width, 3, 2, 1), mix
        self.last = nn.Sequential(nn.Conv2d(width, 16, 1), nn.PixelShuffle(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.mix(self.first(x)))


class PositionAttention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        weights = softmax(flat.transpose(1, 2) @ flat, dim=2)
        return (flat @ weights.transpose(1, 2)).reshape(x.shape)


class GlobalMaximum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.amax((2, 3), keepdim=True)


class Ramp(nn.Module):
    """Adds where a position is in the frame: no value spreads, and yet a tile gives another one."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.linspace(0, 1, x.shape[3])


def seeded(network: nn.Module, gain: float = 1.5) -> nn.Module:
    """Weights of a seed, larger than usual."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            fan = max(1, parameter[0].numel()) if parameter.ndim > 1 else 1
            spread = gain / fan**0.5 if parameter.ndim > 1 else 0.1
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return network.eval()


LOCAL = {
    "espcn": lambda: ESPCN(8, 3),
    "dilated": dilated,
    "shuffled": Shuffled,
}
AVERAGING = {
    "drln": lambda: DRLN(4, 2, 2),
    "drln_3": lambda: DRLN(4, 1, 3),
    "rcan": RCANLike,
    "unet": UNetLike,
}
ALL = {**LOCAL, **AVERAGING}
