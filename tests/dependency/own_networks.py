"""Networks that use their parameters, modules and channels in ways of their own."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.dependency.networks_under_test import Join, between, chain, conv, residual


class HardSplit(nn.Module):
    """Channels cut at places that are written in the code."""

    def __init__(self, sizes: int | list[int]):
        super().__init__()
        self.sizes, self.head = sizes, conv(2, 8)
        self.left, self.right, self.tail = conv(4, 6), conv(4, 6), conv(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        one, other = torch.split(self.head(x), self.sizes, dim=1)
        return self.tail(self.left(one) * self.right(other).sigmoid())


class Bare(nn.Module):
    """Parameters of the root, one of them in F.conv2d."""

    def __init__(self, width: int = 6):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(width, 2, 3, 3))
        self.shift = nn.Parameter(torch.empty(width))
        self.scale = nn.Parameter(torch.empty(1, width, 1, 1))
        self.tail = conv(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.kernel, self.shift, padding=1)
        return self.tail(F.relu(x) * self.scale)


class TiedAutoencoder(nn.Module):
    """What encodes decodes, too: by its transposed weight."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.code = nn.Linear(10, 8), nn.Linear(8, 6)
        self.shift = nn.Parameter(torch.empty(8))

    def forward(self, x: Tensor) -> Tensor:
        code = F.relu(self.code(F.relu(self.encode(x))))
        hidden = F.relu(F.linear(code, self.code.weight.t(), self.shift))
        return F.linear(hidden, self.encode.weight.t())


class Mixed(nn.Module):
    """Channels mixed by an einsum with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.next, self.tail = conv(2, 8), conv(6, 5), conv(5, 3)
        self.mix = nn.Parameter(torch.empty(6, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.einsum("oc,bchw->bohw", self.mix, self.head(x))
        return self.tail(self.next(x.relu()).relu())


class AttendingPositions(nn.Module):
    """Attention between positions, by einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = conv(2, 8), conv(8, 3)
        self.query, self.key = conv(8, 6), conv(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        query, key = self.query(x).flatten(2), self.key(x).flatten(2)
        weights = torch.einsum("bci,bcj->bij", query, key).softmax(-1)
        return self.tail(torch.einsum("bij,bcj->bci", weights, x.flatten(2)).view_as(x))


class ComplexNumbers(nn.Module):
    """A convolution of complex numbers between real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.next, self.tail = conv(2, 8), conv(6, 5), conv(5, 3)
        self.mid = nn.Conv2d(8, 6, 1, bias=False, dtype=torch.complex64)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        return self.tail(self.next(self.mid(torch.complex(x, x.flip(2))).abs()).relu())


class InPlace(nn.Module):
    """Writes into its input."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(2, 8), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x.sub_(0.45)).relu())


class Spare(nn.Module):
    """Tensors that nothing uses, and one that is taken off the input."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = conv(2, 8), conv(8, 3)
        self.spare = nn.Parameter(torch.empty(3, 2))
        self.register_buffer("table", torch.zeros(4, 5))
        self.register_buffer("mean", torch.zeros(2, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.head(x - self.mean))


def tied() -> nn.Module:
    """Two convolutions with one weight, each with a bias of its own."""
    network = between(conv(8, 8), nn.ReLU(), conv(8, 8), nn.ReLU())
    network.m2.weight = network.m0.weight
    return network


def twice() -> nn.Module:
    """One block that is called twice, as in recursive networks."""
    block = residual(conv(8, 6), nn.ReLU(), conv(6, 8))
    return between(block, nn.ReLU(), block)


def shufflenet() -> nn.Module:
    def shuffle(x: Tensor) -> Tensor:
        n, c, h, w = x.size()
        x = x.view(n, 2, c // 2, h, w)
        return torch.transpose(x, 1, 2).contiguous().view(n, -1, h, w)

    return between(nn.Conv2d(8, 12, 1, groups=2, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
                   shuffle, conv(12, 12, groups=12, bias=False), nn.BatchNorm2d(12),
                   nn.Conv2d(12, 8, 1, groups=2))  # fmt: skip


def mean_of_groups(x: Tensor, groups: int = 2) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).mean(2)


def mean_of_four(x: Tensor) -> Tensor:
    n, _, h, w = x.shape
    return x.view(n, -1, 4, h, w).mean(2)


def shuffled_by_hand(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    x = x.view(n, c // 4, 2, 2, h, w)
    return x.permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)


def shuffled_with_open_channels(x: Tensor) -> Tensor:
    n, _, h, w = x.shape
    return x.view(n, -1, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, -1, 2 * h, 2 * w)


def two_halves(x: Tensor) -> Tensor:
    one, other = x.chunk(2, 1)
    return torch.cat([one, F.relu(other)], 1)


class Pair(nn.Module):
    """Two branches that are stacked, and read apart."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.left, self.right = conv(8, 6), conv(8, 6), conv(6, 8), conv(6, 8)

    def forward(self, x: Tensor) -> Tensor:
        both = F.relu(torch.stack([self.a(x), self.b(x)]))
        return self.left(both[0]) * self.right(both[1])


@dataclass
class Found:
    """Several outputs, as a class of the user's own."""

    features: Tensor
    masks: dict[str, Tensor]


class Modular(nn.Module):
    """Layers in dictionaries and lists, a Python flag, and what happens in training only: layers
    are left out by chance, and there is a second head.
    """

    def __init__(self, deep: bool = True, give: Callable[..., object] = tuple):
        super().__init__()
        self.deep, self.give = deep, give
        self.paths = nn.ModuleDict({"near": conv(2, 8), "far": nn.Conv2d(2, 8, 5, padding=2)})
        self.layers = nn.ModuleList(residual(conv(8, 6), nn.ReLU(), conv(6, 8)) for _ in range(2))
        self.heads = nn.ModuleDict({"mask": nn.Conv2d(8, 1, 1), "edges": nn.Conv2d(8, 2, 1)})
        layers = nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 5, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 3, 1)
        self.auxiliary = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> object:
        x = first = F.relu(sum(path(x) for path in self.paths.values()))
        if self.deep:
            for layer in self.layers:
                if not self.training or torch.rand((), device=x.device) < 0.5:
                    x = layer(x)
        given = {name: head(x) for name, head in self.heads.items()}
        if self.training:
            given["auxiliary"] = self.auxiliary(first)
        if self.give is Found:
            return Found(x, given)
        return self.give(given if self.give is dict else given.values())


class Looking(nn.Module):
    """Branches on what a tensor holds: its input, or what it found."""

    def __init__(self, inside: bool):
        super().__init__()
        self.head, self.tail, self.inside = conv(2, 8), conv(8, 3), inside

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(x)
        return self.tail(F.relu(y) if (y if self.inside else x).mean() > 0 else F.elu(y))


def channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def convnext(norm: Callable[[int], nn.Module]) -> nn.Module:
    """A block of ConvNeXt: depthwise, normalised over channels, an MLP."""
    mlp = {"wide": nn.Linear(8, 16), "act": nn.GELU(), "narrow": nn.Linear(16, 8)}
    back = {"first": lambda x: x.permute(0, 3, 1, 2)}
    return between(Join(torch.add, conv(8, 8, groups=8),
                        chain(last=channels_last, norm=norm(8), **mlp, **back)))  # fmt: skip
