"""Networks that enlarge or segment pictures, in the structure of the papers, small."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from tests.dependency.networks_under_test import Join, chain, conv, residual, up


class MeanShift(nn.Conv2d):
    """Adds a mean colour; it is never trained."""

    def __init__(self, sign: int):
        super().__init__(3, 3, 1)
        nn.init.dirac_(self.weight)
        nn.init.constant_(self.bias, sign)
        self.requires_grad_(False)


class SuperResolution(nn.Module):
    """The frame of EDSR, RCAN and SRResNet: a head, a body with a long skip, a tail."""

    def __init__(self, head: nn.Module, body: nn.Module, tail: nn.Module, shift: bool = False):
        super().__init__()
        self.head, self.body, self.tail = head, body, tail
        self.sub, self.add = (MeanShift(-1), MeanShift(1)) if shift else (None, None)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x if self.sub is None else self.sub(x))
        x = self.tail(x + self.body(x))
        return x if self.add is None else self.add(x)


def shuffler(width: int, *after: nn.Module) -> list[nn.Module]:
    return [conv(width, 4 * width), nn.PixelShuffle(2), *after]


def edsr(width: int = 8, scale: float = 0.1) -> nn.Module:
    def block() -> nn.Module:
        layers = conv(width, width), nn.ReLU(True), conv(width, width)
        return Join(lambda x, y: x + scale * y, *layers)

    body = nn.Sequential(block(), block(), conv(width, width))
    tail = nn.Sequential(*shuffler(width), *shuffler(width), conv(width, 3))
    return SuperResolution(conv(3, width), body, tail, shift=True)


def rcan(width: int = 8) -> nn.Module:
    def attention() -> nn.Module:
        gate = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width // 2, 1), nn.ReLU(True)]
        return Join(torch.mul, *gate, nn.Conv2d(width // 2, width, 1), nn.Sigmoid())

    def block() -> nn.Module:
        return residual(conv(width, width), nn.ReLU(True), conv(width, width), attention())

    groups = [residual(block(), block(), conv(width, width)) for _ in range(2)]
    body = nn.Sequential(*groups, conv(width, width))
    return SuperResolution(conv(3, width), body, nn.Sequential(*shuffler(width), conv(width, 3)))


def srresnet(width: int = 8) -> nn.Module:
    def layer() -> list[nn.Module]:
        return [conv(width, width, bias=False), nn.BatchNorm2d(width)]

    blocks = [residual(*layer(), nn.PReLU(), *layer()) for _ in range(2)]
    head = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU())
    tail = nn.Sequential(*shuffler(width, nn.PReLU()), nn.Conv2d(width, 3, 9, padding=4))
    return SuperResolution(head, nn.Sequential(*blocks, *layer()), tail)


def espcn() -> nn.Module:
    return chain(first=nn.Conv2d(1, 12, 5, padding=2), act=nn.Tanh(), second=conv(12, 8),
                 act2=nn.Tanh(), third=conv(8, 9), up=nn.PixelShuffle(3),
                 clamp=lambda x: x.clamp(0, 1))  # fmt: skip


def fsrcnn(wide: int = 12, narrow: int = 5) -> nn.Module:
    mapping = [layer for _ in range(2) for layer in (conv(narrow, narrow), nn.PReLU(narrow))]
    return chain(
        features=nn.Sequential(nn.Conv2d(1, wide, 5, padding=2), nn.PReLU(wide)),
        shrink=nn.Sequential(nn.Conv2d(wide, narrow, 1), nn.PReLU(narrow)),
        map=nn.Sequential(*mapping),
        expand=nn.Sequential(nn.Conv2d(narrow, wide, 1), nn.PReLU(wide)),
        up=nn.ConvTranspose2d(wide, 1, 9, stride=2, padding=4, output_padding=1),
    )


class UNet(nn.Module):
    """Two steps down and two up, by transposed convolution and by interpolation."""

    def __init__(self, width: int = 4):
        super().__init__()
        self.one, self.two = self._twice(3, width), self._twice(width, 2 * width)
        self.deep = self._twice(2 * width, 4 * width)
        self.up = up(4 * width, 2 * width)
        self.left, self.right = self._twice(4 * width, 2 * width), self._twice(3 * width, width)
        self.tail = nn.Conv2d(width, 2, 1)

    @staticmethod
    def _twice(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(conv(inputs, outputs, bias=False), nn.BatchNorm2d(outputs),
                             nn.ReLU(True), conv(outputs, outputs), nn.ReLU(True))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        one = self.one(x)
        two = self.two(max_pool2d(one, 2))
        y = self.up(self.deep(max_pool2d(two, 2)))
        y = self.left(torch.cat([two, y], 1))
        y = interpolate(y, size=one.shape[2:], mode="bilinear", align_corners=False)
        return self.tail(self.right(torch.cat([y, one], dim=1)))


class GatedConv(nn.Module):
    """One convolution makes features and their gate, as in networks that fill holes."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = conv(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        features, gate = self.conv(x).chunk(2, dim=1)
        return nn.functional.elu(features) * torch.sigmoid(gate)
