"""The operators of which networks are composed at random, and what each of them may follow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from tests.dependency.networks_under_test import Join, conv, gate_of, residual, up

Choose = Callable[[Sequence[Any]], Any]

WIDTHS, WIDEST, LARGEST = (4, 8, 12, 16), 32, 16  # of layers, and of what operators may give


@dataclass(frozen=True)
class Operator:
    """How to make a layer for a number of channels, and which channels and sizes it may follow.

    Channels come in multiples of four, and go on in multiples of four.
    """

    make: Callable[[int, Choose], nn.Module]
    fits: Callable[[int, int], bool] = lambda channels, size: True


class Applied(nn.Module):
    """A function as a layer that names it, for where an example that fails is printed."""

    def __init__(self, function: Callable[..., Tensor], *given: Any):
        super().__init__()
        self.function, self.given = function, given

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.given)

    def extra_repr(self) -> str:
        return " ".join(map(str, (self.function.__name__, *self.given)))


class ChannelsLast(nn.Module):
    """A layer for which channels are the last axis."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def shuffled(x: Tensor, groups: int) -> Tensor:
    return x.view(x.shape[0], groups, -1, *x.shape[2:]).transpose(1, 2).flatten(1, 2)


def unshuffled(x: Tensor, groups: int) -> Tensor:
    rows = x.shape[1] // groups
    return x.view(x.shape[0], rows, groups, *x.shape[2:]).transpose(1, 2).flatten(1, 2)


def halves_joined(x: Tensor, swapped: bool) -> Tensor:
    one, other = x.chunk(2, dim=1)
    return torch.cat([other.tanh(), one] if swapped else [one, other.tanh()], 1)


def flip_added(x: Tensor) -> Tensor:
    return x + x.flip(1)


def padded(x: Tensor, mode: str) -> Tensor:
    return pad(x, (1, 1, 1, 1), mode=mode)


def bottleneck(channels: int, choose: Choose) -> nn.Module:
    inside = choose(WIDTHS)
    return residual(conv(channels, inside), nn.ReLU(), conv(inside, channels))


def excitation(channels: int, choose: Choose) -> nn.Module:
    inside = choose(WIDTHS)
    gate = [nn.Conv2d(channels, inside, 1), nn.ReLU(), nn.Conv2d(inside, channels, 1)]
    return Join(torch.mul, nn.AdaptiveAvgPool2d(1), *gate, nn.Sigmoid())


def halves(channels: int, size: int) -> bool:
    return size >= 4


def doubles(channels: int, size: int) -> bool:
    return 2 * size <= LARGEST


# The plainest come first: hypothesis makes an example simpler by going towards the first.
OPERATORS = {
    "relu": Operator(lambda c, choose: nn.ReLU(inplace=choose((False, True)))),
    "convolution": Operator(lambda c, choose: conv(c, choose(WIDTHS))),
    "one by one": Operator(lambda c, choose: nn.Conv2d(c, choose(WIDTHS), 1)),
    "grouped": Operator(lambda c, choose: conv(c, choose(WIDTHS), groups=choose((2, 4)))),
    "depthwise": Operator(lambda c, choose: conv(c, c, groups=c, bias=choose((True, False)))),
    "depthwise x2": Operator(lambda c, _: conv(c, 2 * c, groups=c), lambda c, s: 2 * c <= WIDEST),
    "strided": Operator(lambda c, choose: conv(c, choose(WIDTHS), stride=2), halves),
    "transposed": Operator(lambda c, choose: up(c, choose(WIDTHS), choose((1, 2, 4))), doubles),
    "transposed depthwise": Operator(lambda c, _: up(c, c, c), doubles),
    "linear": Operator(lambda c, choose: ChannelsLast(nn.Linear(c, choose(WIDTHS)))),
    "batch norm": Operator(lambda c, _: nn.BatchNorm2d(c)),
    "group norm": Operator(lambda c, choose: nn.GroupNorm(choose((1, 2, 4, c)), c)),
    "layer norm": Operator(lambda c, _: ChannelsLast(nn.LayerNorm(c))),
    "prelu": Operator(lambda c, choose: nn.PReLU(choose((1, c)))),
    "bottleneck": Operator(bottleneck),
    "excitation": Operator(excitation),
    "gate": Operator(lambda c, _: Applied(gate_of), lambda c, s: c % 8 == 0),
    "halves joined": Operator(lambda c, choose: Applied(halves_joined, choose((False, True)))),
    "shuffle": Operator(lambda c, choose: Applied(shuffled, choose((2, 4)))),
    "unshuffle": Operator(lambda c, choose: Applied(unshuffled, choose((2, 4)))),
    "channel shuffle": Operator(lambda c, choose: nn.ChannelShuffle(choose((2, 4)))),
    "flip": Operator(lambda c, _: Applied(flip_added)),
    "max pool": Operator(lambda c, _: nn.MaxPool2d(2), halves),
    "mean pool": Operator(lambda c, _: nn.AvgPool2d(2), halves),
    "nearest": Operator(lambda c, _: nn.Upsample(scale_factor=2), doubles),
    "bilinear": Operator(lambda c, _: nn.Upsample(scale_factor=2, mode="bilinear"), doubles),
    "padding": Operator(lambda c, choose: Applied(padded, choose(("constant", "reflect"))),
                        lambda c, s: s + 2 <= LARGEST),
    "pixel shuffle": Operator(lambda c, _: nn.PixelShuffle(2),
                              lambda c, s: c % 16 == 0 and doubles(c, s)),
    "pixel unshuffle": Operator(lambda c, _: nn.PixelUnshuffle(2),
                                lambda c, s: 4 * c <= WIDEST and s % 2 == 0 and halves(c, s)),
}  # fmt: skip

# What ends a network: three outputs of that many channels and positions.
TAILS = {
    "convolution": lambda c, s: conv(c, 3),
    "linear": lambda c, s: ChannelsLast(nn.Linear(c, 3)),
    "pooled": lambda c, s: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 3)),
    "flat": lambda c, s: nn.Sequential(nn.Flatten(), nn.Linear(c * s * s, 3)),
}
