"""Small networks that between them use every rule, and how each should be prunable."""

import copy
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, relu

from stages.channels.dependencies import build_graph
from stages.channels.graph import Graph
from stages.networks.drln import DRLN
from stages.networks.espcn import ESPCN

Step = nn.Module | Callable[[Tensor], Tensor]


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Join(nn.Module):
    """Several branches over the same input, joined by a function."""

    def __init__(self, join: Callable[..., Tensor], **branches: nn.Module):
        super().__init__()
        self.join, self.names = join, list(branches)
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(x, *(getattr(self, name)(x) for name in self.names))


class Halves(nn.Module):
    """Parts of the channels, each to a convolution of its own."""

    def __init__(self, split: Callable[[Tensor], tuple[Tensor, ...]], first: int, second: int):
        super().__init__()
        self.split, self.a, self.b = split, conv(first, 3), conv(second, 3)

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.split(x)
        return self.a(one) + self.b(other)


class LearnedScale(nn.Module):
    """A parameter of no layer's own: one factor a channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def conv(inputs: int, outputs: int, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, **({"padding": 1} | options))  # type: ignore[arg-type]


def up(inputs: int, outputs: int, groups: int = 1) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2, stride=2, groups=groups)


def chain(**steps: Step) -> nn.Sequential:
    layers = {n: s if isinstance(s, nn.Module) else Apply(s) for n, s in steps.items()}
    return nn.Sequential(OrderedDict(layers))


def between(*middle: Step, width: int = 8, out: int | None = None) -> nn.Sequential:
    """`head` makes `width` channels, `tail` reads `out` of them; in between what is under test."""
    steps = {f"m{number}": step for number, step in enumerate(middle)}
    return chain(head=conv(2, width), **steps, tail=conv(out or width, 3))


def shared() -> nn.Module:
    """Two layers with one weight and one bias."""
    network = between(conv(8, 8), relu, conv(8, 8), relu)
    network.m2.weight, network.m2.bias = network.m0.weight, network.m0.bias
    return network


def twice() -> nn.Module:
    """One layer that is called twice."""
    layer = conv(8, 8)
    return between(layer, relu, layer, relu)


def shuffled(x: Tensor) -> Tensor:
    return x.view(x.shape[0], 2, -1, *x.shape[2:]).transpose(1, 2).flatten(1, 2)


def attention() -> nn.Module:
    gate = chain(down=nn.Conv2d(8, 4, 1), act=relu, up=nn.Conv2d(4, 8, 1), gate=torch.sigmoid)
    mean = nn.AdaptiveAvgPool2d(1)
    return between(Join(lambda x, g: x * g, gate=nn.Sequential(mean, *gate)))


def gate_of(x: Tensor) -> Tensor:
    one, other = x.chunk(2, dim=1)
    return one * torch.sigmoid(other)


def dense_block() -> nn.Module:
    def grow(n: int) -> Join:
        return Join(lambda *parts: torch.cat(parts, 1), c=nn.Sequential(conv(n, 4), nn.ReLU()))

    return between(grow(4), grow(8), width=4, out=12)


def residual(*body: nn.Module) -> Join:
    return Join(torch.add, c=nn.Sequential(*body))


@dataclass(frozen=True)
class Case:
    """A network, the groups it must have, and whether its activations keep zero at zero."""

    make: Callable[[], nn.Module]
    groups: tuple[str, ...]
    keeps_zero: bool = True
    shape: tuple[int, ...] = (2, 2, 8, 8)


def drln(width: int, modules: int, scale: int) -> Case:
    inside = [*(f"units.{n}.first" for n in range(3)), "fusion"]
    inside += [f"attention.levels.{n}" for n in range(3)]
    names = ["head"]
    for module in range(modules):
        names += [f"cascade.{module}.{name}" for name in inside]
        names.append(f"fusions.{module}")
    return Case(lambda: DRLN(width, modules, scale), tuple(names), shape=(1, 1, 6, 7))


def espcn(width: int, scale: int) -> Case:
    return Case(lambda: ESPCN(width, scale), ("first", "second"), shape=(1, 1, 8, 8))


HEAD = ("head",)

CASES = {
    "drln w4 m1 s2": drln(4, 1, 2),
    "drln w8 m2 s2": drln(8, 2, 2),
    "drln w12 m1 s3": drln(12, 1, 3),
    "drln w6 m3 s4": drln(6, 3, 4),
    "espcn w4": espcn(4, 2),
    "espcn w16 s3": espcn(16, 3),
    "residual": Case(
        lambda: between(residual(conv(8, 6), nn.ReLU(), conv(6, 8)), residual(conv(8, 8))),
        ("head", "m0.c.0"),
    ),
    "dense": Case(dense_block, ("head", "m0.c.0", "m1.c.0")),
    "gate": Case(lambda: between(gate_of, out=4), HEAD),
    "halves": Case(
        lambda: chain(head=conv(2, 8), halves=Halves(lambda x: x.chunk(2, 1), 4, 4)), HEAD
    ),
    "depthwise": Case(lambda: between(conv(8, 8, groups=8), relu), HEAD),
    "depthwise x2": Case(lambda: between(conv(8, 16, groups=8), relu, out=16), HEAD),
    "depthwise biasless": Case(lambda: between(conv(8, 8, groups=8, bias=False)), HEAD),
    "grouped": Case(lambda: between(conv(8, 12, groups=2), relu, out=12), ("head", "m0")),
    "transposed": Case(lambda: between(up(8, 6), relu, out=6), ("head", "m0")),
    "transposed grouped": Case(lambda: between(up(8, 12, 2), relu, out=12), ("head", "m0")),
    "transposed depthwise": Case(lambda: between(up(8, 8, 8), relu), HEAD),
    "transposed pairs": Case(lambda: between(up(8, 4, 4), relu, out=4), HEAD),
    "shuffle": Case(lambda: between(lambda x: pixel_shuffle(x, 2), width=16, out=4), HEAD),
    "unshuffle": Case(
        lambda: between(nn.PixelUnshuffle(2), conv(16, 6), relu, width=4, out=6), ("head", "m1")
    ),
    "channel shuffle": Case(lambda: between(shuffled, relu), HEAD),
    "batch norm": Case(
        lambda: between(nn.BatchNorm2d(8), relu, conv(8, 6, bias=False), nn.BatchNorm2d(6), out=6),
        ("head", "m2"),
    ),
    "plain batch norm": Case(lambda: between(nn.BatchNorm2d(8, affine=False)), HEAD, False),
    "instance norm": Case(lambda: between(nn.InstanceNorm2d(8, affine=True), relu), HEAD),
    "prelu": Case(lambda: between(nn.PReLU(8), conv(8, 6), nn.PReLU(), out=6), ("head", "m1")),
    "learned scale": Case(lambda: between(LearnedScale(8)), HEAD),
    "attention": Case(attention, ("head", "m0.gate.1")),
    "sigmoid": Case(lambda: between(torch.sigmoid), HEAD, False),
    "in place": Case(
        lambda: between(nn.ReLU(True), Join(lambda x, y: y.add_(x).relu_(), c=conv(8, 8))), HEAD
    ),
    "circular": Case(lambda: between(relu, conv(8, 6, padding_mode="circular"), out=6),
                     ("head", "m1")),
    "enlarged": Case(lambda: between(nn.Upsample(scale_factor=2, mode="bilinear"),
                                     nn.AvgPool2d(2), nn.MaxPool2d(2)), HEAD),
    "padded shortcut": Case(
        lambda: between(Join(lambda x, y: y + nn.functional.pad(x, (0, 0, 0, 0, 2, 2)),
                             c=conv(8, 12)), out=12), HEAD),
    "shared": Case(shared, HEAD),
    "twice": Case(twice, HEAD),
    "flatten": Case(lambda: chain(head=conv(2, 6), act=relu, flat=nn.Flatten(),
                                  hidden=nn.Linear(6 * 16, 10), hidden_act=relu,
                                  tail=nn.Linear(10, 3)),
                    ("head", "hidden"), shape=(2, 2, 4, 4)),
    "signal": Case(lambda: chain(head=nn.Conv1d(2, 8, 5), norm=nn.BatchNorm1d(8), act=relu,
                                 pool=nn.MaxPool1d(2), next=nn.Conv1d(8, 6, 3), prelu=nn.PReLU(6),
                                 mean=nn.AdaptiveAvgPool1d(1), flat=nn.Flatten(),
                                 tail=nn.Linear(6, 3)),
                   ("head", "next"), shape=(2, 2, 24)),
    "tokens": Case(lambda: chain(head=nn.Linear(5, 8), act=relu, plain=nn.Linear(8, 6, bias=False),
                                 tail=nn.Linear(6, 3)), ("head", "plain"), shape=(2, 7, 5)),
}  # fmt: skip


def lively(network: nn.Module) -> nn.Module:
    """Draw all parameters and statistics so that every channel matters, in eval mode."""
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if tensor.dim() > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5)
            elif tensor.dim() == 1:
                tensor.uniform_(0.5, 1.5)
                if name.endswith("bias"):
                    tensor.sub_(1)
    return network.eval()


@cache
def prepared(name: str) -> tuple[nn.Module, Graph]:
    """A case's network with lively weights, and its graph; copy the network to change it."""
    torch.manual_seed(zlib.crc32(name.encode()))
    network = lively(CASES[name].make())
    return network, build_graph(network, CASES[name].shape)


def network_of(name: str) -> nn.Module:
    return copy.deepcopy(prepared(name)[0])


def examples(name: str) -> Tensor:
    torch.manual_seed(7)
    return torch.randn(CASES[name].shape)


def some_units(
    graph: Graph, share: float, seed: int = 0, keep: int = 1
) -> dict[str, np.ndarray]:
    """The share of each group's units at random, keeping at least `keep`."""
    generator = np.random.default_rng(seed)
    return {
        group.name: np.sort(generator.permutation(group.units)[
            : max(0, min(group.units - keep, round(share * group.units)))])
        for group in graph.groups
    }  # fmt: skip
