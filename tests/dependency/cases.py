"""How each network under test must be prunable, and its graph."""

import copy
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize, pad, pixel_shuffle, relu, unfold

from stages.dependency.build import build_graph
from stages.dependency.graph import Graph, Removed
from stages.networks.drln import DRLN
from stages.networks.espcn import ESPCN
from tests.dependency import networks_under_test as nets
from tests.dependency.networks_under_test import Join, Step, between, chain, conv, halves, up


@dataclass(frozen=True)
class Case:
    """A network and what its graph must be.

    It must have these groups; where something must stay, `reason` says why. `keeps_zero` is for
    networks in which a channel that nothing makes is zero wherever it is read.
    """

    make: Callable[[], nn.Module]
    groups: tuple[str, ...] = ("head",)
    reason: str = ""
    keeps_zero: bool = True
    shape: tuple[int, ...] = (2, 2, 8, 8)


def drln(width: int, modules: int, scale: int) -> Case:
    inside = [*(f"units.{n}.first" for n in range(3)), "fusion"]
    inside += [f"attention.levels.{n}" for n in range(3)]
    names = ["head"]
    for module in range(modules):
        names += [*(f"cascade.{module}.{name}" for name in inside), f"fusions.{module}"]
    return Case(lambda: DRLN(width, modules, scale), tuple(names), shape=(1, 1, 6, 7))


def espcn(width: int, scale: int) -> Case:
    return Case(lambda: ESPCN(width, scale), ("first", "second"), shape=(1, 1, 8, 8))


def stays(reason: str, *middle: Step, out: int = 8) -> Case:
    return Case(lambda: between(*middle, out=out), (), reason)


HM0, HM1 = ("head", "m0"), ("head", "m1")
CHANGES, BREAKS = "removing it changes what the network computes", "the network breaks without it"

CASES = {
    "drln w4 m1 s2": drln(4, 1, 2),
    "drln w8 m2 s3": drln(8, 2, 3),
    "drln w12 m1 s4": drln(12, 1, 4),
    "espcn w4": espcn(4, 2),
    "espcn w16 s3": espcn(16, 3),
    "residual": Case(lambda: between(nets.residual(conv(8, 6), nn.ReLU(), conv(6, 8)),
                                     nets.residual(conv(8, 8))), ("head", "m0.c.0")),
    "dense": Case(nets.dense, ("head", "m0.c.0", "m1.c.0")),
    "gate": Case(lambda: between(nets.gate_of, out=4)),
    "chunks": Case(lambda: halves(lambda x: x.chunk(2, 1), 4, 4)),
    "depthwise": Case(lambda: between(conv(8, 8, groups=8), relu)),
    "depthwise x2": Case(lambda: between(conv(8, 16, groups=8), relu, out=16)),
    "depthwise biasless": Case(lambda: between(conv(8, 8, groups=8, bias=False))),
    "grouped": Case(lambda: between(conv(8, 12, groups=2), relu, out=12), HM0),
    "transposed": Case(lambda: between(up(8, 6), relu, out=6), HM0),
    "transposed grouped": Case(lambda: between(up(8, 12, 2), relu, out=12), HM0),
    "transposed depthwise": Case(lambda: between(up(8, 8, 8), relu)),
    "transposed pairs": Case(lambda: between(up(8, 4, 4), relu, out=4)),
    "pixel shuffle": Case(lambda: between(lambda x: pixel_shuffle(x, 2), width=16, out=4)),
    "pixel unshuffle": Case(lambda: between(nn.PixelUnshuffle(2), conv(16, 6), width=4, out=6),
                            HM1),
    "channel shuffle": Case(lambda: between(nets.shuffled, relu)),
    "windows": Case(lambda: between(nets.windows, nn.Linear(8, 6), relu, nets.joined, out=6), HM1),
    "padded patches": Case(lambda: between(lambda x: unfold(x, 3, padding=1).unflatten(2, (8, 8)),
                                           out=72)),
    "batch norm": Case(lambda: between(nn.BatchNorm2d(8), relu, conv(8, 6, bias=False),
                                       nn.BatchNorm2d(6), out=6), ("head", "m2")),
    "plain batch norm": Case(lambda: between(nn.BatchNorm2d(8, affine=False)), keeps_zero=False),
    "instance norm": Case(lambda: between(nn.InstanceNorm2d(8, affine=True), relu)),
    "layer norm": Case(lambda: between(lambda x: x.permute(0, 2, 3, 1), nn.LayerNorm(8),
                                       lambda x: x.permute(0, 3, 1, 2))),
    "group norm": Case(lambda: between(nn.GroupNorm(2, 8), relu)),
    "group norm of one each": Case(lambda: between(nn.GroupNorm(8, 8), relu)),
    "prelu": Case(lambda: between(nn.PReLU(8), conv(8, 6), nn.PReLU(), out=6), HM1),
    "learned scale": Case(lambda: between(nets.LearnedScale(8))),
    "attention": Case(nets.attention, ("head", "m0.c.1")),
    "sigmoid": Case(lambda: between(torch.sigmoid), keeps_zero=False),
    "in place": Case(lambda: between(nn.ReLU(True), Join(lambda x, y: y.add_(x).relu_(),
                                                         conv(8, 8)))),
    "circular": Case(lambda: between(relu, conv(8, 6, padding_mode="circular"), out=6), HM1),
    "enlarged": Case(lambda: between(nn.Upsample(scale_factor=2, mode="bilinear"),
                                     nn.AvgPool2d(2), nn.MaxPool2d(2))),
    "padded shortcut": Case(lambda: between(Join(lambda x, y: y + pad(x, (0, 0, 0, 0, 2, 2)),
                                                 conv(8, 12)), out=12), reason=BREAKS),
    "shared": Case(nets.shared),
    "twice": Case(nets.twice),
    "flatten": Case(nets.flattened, ("head", "hidden"), shape=(2, 2, 4, 4)),
    "signal": Case(nets.signal, ("head", "next"), shape=(2, 2, 24)),
    "tokens": Case(lambda: chain(head=nn.Linear(5, 8), act=relu, plain=nn.Linear(8, 6, bias=False),
                                 tail=nn.Linear(6, 3)), ("head", "plain"), shape=(2, 7, 5)),
    # From here on something must stay, and nothing may go wrong in silence.
    "half read twice": Case(lambda: halves(lambda x: (x[:, :4], x), 4, 8), ("head#2",), BREAKS),
    "cumulative product": stays("operator cumprod has no rule", lambda x: x.cumprod(1)),
    "softmax": stays("removing it would leave a layer empty", lambda x: x.softmax(1)),
    "broadcast": Case(lambda: between(Join(torch.mul, conv(8, 1))),
                      reason="it is broadcast over other channels"),
    "normalised": stays("removing it would leave a layer empty", normalize),
    "fixed map": stays(BREAKS, lambda x: x + torch.ones(1, 8, 1, 1)),
    "numbered map": stays("it meets a tensor of fixed size",
                          lambda x: x + torch.arange(x.shape[1]).view(1, -1, 1, 1)),
    "as wide as inside": Case(lambda: chain(head=conv(2, 8), tail=Join(nets.padded, conv(8, 3))),
                              (), BREAKS + ": the output is"),
    "literal split": Case(lambda: halves(lambda x: x.split([2, 6], 1), 2, 6), (), BREAKS),
    "literal view": stays(BREAKS, lambda x: x.view(-1, 8, 64).view(-1, 8, 8, 8)),
    "literal count": stays(BREAKS, nets.asserting),
    "literal table": stays(BREAKS, lambda x: {8: relu}[x.shape[1]](x)),
    "literal scale": stays(CHANGES, lambda x: x * x.shape[1]),
    "swapped halves": stays(CHANGES, lambda x: torch.cat([x[:, 4:], x[:, :4]], 1)),
    "first to the end": stays(CHANGES, lambda x: torch.cat([x[:, 1:], x[:, :1]], 1)),
    "last to the front": stays(CHANGES, lambda x: torch.cat([x[:, -1:], x[:, :-1]], 1)),
    "rolled": stays(CHANGES, lambda x: x.roll(1, 1)),
    "uneven chunks": Case(lambda: halves(lambda x: x.chunk(2, 1), 3, 2, width=5), (), BREAKS),
}  # fmt: skip

PRUNABLE = [name for name, case in CASES.items() if case.groups]


@cache
def prepared(name: str) -> tuple[nn.Module, Graph]:
    """A case's network and its graph; neither may be changed."""
    torch.manual_seed(zlib.crc32(name.encode()))
    network = nets.lively(CASES[name].make())
    return network, build_graph(network, CASES[name].shape)


def network_of(name: str) -> nn.Module:
    """A case's network, to change."""
    return copy.deepcopy(prepared(name)[0])


def some_units(graph: Graph, share: float, seed: int = 0, keep: int = 1) -> Removed:
    """The share of each group's units at random, of which at least `keep` stay."""
    generator = np.random.default_rng(seed)
    counts = {g.name: max(0, min(g.units - keep, round(share * g.units))) for g in graph.groups}
    return {g.name: generator.permutation(g.units)[: counts[g.name]] for g in graph.groups}


def units_of(graph: Graph, name: str) -> int:
    return next(group.units for group in graph.groups if group.name == name)
