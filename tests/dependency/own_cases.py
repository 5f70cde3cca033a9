"""How networks that users bring must be prunable, and what of them must stay."""

import copy
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from stages.dependency.build import build_graph
from stages.dependency.frozen import NEVER_RUN
from stages.dependency.graph import POSITIONS, Graph
from stages.dependency.rules.contraction import COMPUTED, NO_LAYER
from stages.dependency.rules.registry import ANOTHER_AXIS
from stages.dependency.turns import TURNS
from stages.networks.drln import DRLN
from tests.dependency import own_networks as own
from tests.dependency import own_places as places
from tests.dependency import own_sequences as sequences
from tests.dependency import own_sizes as sizes
from tests.dependency import own_upsamplers as upsamplers
from tests.dependency.cases import BREAKS, CHANGES
from tests.dependency.networks_under_test import between, conv, lively

EMPTY, PICTURE = "removing it would leave a layer empty", (2, 2, 8, 8)
UNKNOWN = "it reads values that no parameter made"


@dataclass(frozen=True)
class Own:
    """A network, its groups with their units, and tensors of which something stays, with reasons.

    `words` is how many there are, where the input holds whole numbers.
    """

    make: Callable[[], nn.Module]
    groups: Mapping[str, int] = field(default_factory=dict)
    stays: Mapping[str, str] = field(default_factory=dict)
    shape: tuple[int, ...] = PICTURE
    words: int = 0

    def example(self) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        if self.words:
            return torch.randint(self.words, self.shape, generator=generator).float()
        return torch.randn(self.shape, generator=generator)


def upsampler(make: Callable[[], nn.Module], colours: int, **units: int) -> Own:
    """Units by the names of groups, with `__` for a dot."""
    return Own(make, _named(units), shape=(2, colours, 6, 7))


def tried(step: Callable[[Tensor], Tensor], units: int, out: int = 8, width: int = 8) -> Own:
    """A function between a convolution `head`, of `width` channels, and one that reads `out`."""
    return Own(lambda: between(step, width=width, out=out), {"head": units})


def kept(reason: str, step: Callable[[Tensor], Tensor], out: int = 8, width: int = 8) -> Own:
    return Own(lambda: between(step, width=width, out=out), stays={"head.weight": reason})


def vit(blocks: Callable[[], nn.Module], stays: Mapping[str, str], **units: int) -> Own:
    return Own(lambda: sequences.ViT(blocks()), _named(units), stays)


def _named(units: Mapping[str, int]) -> dict[str, int]:
    return {name.replace("__", "."): count for name, count in units.items()}


DRLN_UNITS = {"head": 4, "fusions.0": 4, "cascade.0.fusion": 4}
DRLN_UNITS |= {f"cascade.0.units.{n}.first": 4 * 2**n for n in range(3)}
DRLN_UNITS |= {f"cascade.0.attention.levels.{n}": 2 for n in range(3)}
RCAN_UNITS = {f"body.{n}.c.{m}.c.{c}": u for n in (0, 1) for m in (0, 1) for c, u in
              (("0", 8), ("3.c.1", 4))}  # fmt: skip
UNET_UNITS = {f"{name}.{layer}": units for layer in (0, 3) for name, units in
              (("one", 4), ("two", 8), ("deep", 16), ("left", 8), ("right", 4))}  # fmt: skip

OWN = {
    # Pictures that grow.
    "edsr": upsampler(upsamplers.edsr, 3, sub=3, head=8, body__0__c__0=8, body__1__c__0=8,
                      tail__0=8, tail__2=8, tail__4=3),
    "rcan": Own(upsamplers.rcan, {"head": 8, **RCAN_UNITS, "tail.0": 8}, shape=(2, 3, 6, 7)),
    "srresnet": upsampler(upsamplers.srresnet, 3, head__0=8, body__0__c__0=8, body__1__c__0=8,
                          tail__0=8),
    "espcn": upsampler(upsamplers.espcn, 1, first=12, second=8),
    "fsrcnn": upsampler(upsamplers.fsrcnn, 1, features__0=12, shrink__0=5, map__0=5, map__2=5,
                        expand__0=12),
    "drln": Own(lambda: DRLN(4, 1, 2), DRLN_UNITS, shape=(1, 1, 6, 7)),
    "u-net": Own(upsamplers.UNet, {**UNET_UNITS, "up": 8}, shape=(2, 3, 8, 8)),
    "gated": Own(lambda: between(upsamplers.GatedConv(8, 6), upsamplers.GatedConv(6, 5), out=5),
                 {"head": 8, "m0.conv": 6, "m1.conv": 5}),
    # Parameters and modules of the user's own.
    "bare parameters": Own(own.Bare, {"kernel": 6}),
    "tied autoencoder": Own(own.TiedAutoencoder, {"encode": 8, "code": 6}, shape=(4, 10)),
    "tied": Own(own.tied, {"head": 8}),
    "called twice": Own(own.twice, {"head": 8, "m0.c.0": 6}),
    "all frozen": Own(lambda: between(nn.BatchNorm2d(8), conv(8, 6), out=6).requires_grad_(False),
                      {"head": 8, "m1": 6}),
    "dictionary, auxiliary head": Own(lambda: own.Modular(give=dict), {
        "paths.near": 8, "layers.0.c.0": 6, "layers.1.c.0": 6, "auxiliary.1": 5}),
    "tuple, shallow": Own(lambda: own.Modular(deep=False), {"paths.near": 8, "auxiliary.1": 5},
                          {"layers.0.c.0.weight": NEVER_RUN}),
    "class of outputs": Own(lambda: own.Modular(give=own.Found), {
        "layers.0.c.0": 6, "layers.1.c.0": 6, "auxiliary.1": 5},
        {"paths.near.weight": "it reaches the network's output"}),
    "looks at its input": Own(lambda: own.Looking(inside=False), {"head": 8}),
    "looks inside": Own(lambda: own.Looking(inside=True), {}, {"head.weight": EMPTY}),
    "weight norm": Own(lambda: between(nn.ReLU(), weight_norm(conv(8, 6)), conv(6, 5), out=5),
                       {"m2": 5}, {"head.weight": COMPUTED,
                                   "m1.parametrizations.weight.original1":
                                       "operator _weight_norm_interface has no rule"}),
    "spectral norm": Own(lambda: between(spectral_norm(conv(8, 6)), conv(6, 5), out=5), {"m1": 5},
                         {"head.weight": "operator mv has no rule"}),
    "einsum with a parameter": Own(own.Mixed, {"next": 5}, {
        "mix": NO_LAYER, "head.weight": NO_LAYER, "next.weight": UNKNOWN}),
    "einsum of activations": Own(own.AttendingPositions, {"head": 8, "query": 6}),
    "complex numbers": Own(own.ComplexNumbers, {"next": 5}, {
        "mid.weight": "operator view_as_real has no rule", "next.weight": UNKNOWN}),
    "writes into its input": Own(own.InPlace, {"a": 8}),
    "spare tensors": Own(own.Spare, {"head": 8}, {
        "spare": NEVER_RUN, "table": NEVER_RUN, "mean": ANOTHER_AXIS, "head.weight": POSITIONS}),
    # Channels that are cut, joined and counted.
    "flip-add": tried(lambda x: x + x.flip(1), 4),
    "shufflenet": Own(own.shufflenet, {"head": 4, "m0": 3, "m6": 4}),
    "multiplier two": Own(lambda: between(conv(8, 16, groups=8), nn.ReLU(), out=16), {"head": 8}),
    "mean of groups": kept(EMPTY, own.mean_of_groups, out=2),
    "mean of four": tried(own.mean_of_four, 4, width=16, out=4),
    "chunk, then cat": tried(own.two_halves, 4),
    "glu": tried(lambda x: nn.functional.glu(x, 1), 4, out=4),
    "literal size": Own(lambda: own.HardSplit(4), {"left": 6}, {"head.weight": BREAKS}),
    "literal sizes": Own(lambda: own.HardSplit([4, 4]), {"left": 6}, {"head.weight": BREAKS}),
    "strides of its own": kept("operator as_strided has no rule",
                               lambda x: x.as_strided(x.shape, x.transpose(2, 3).stride())),
    "number of the largest": kept("it is picked by its number",
                                  lambda x: x * (1.0 + x.argmax(1, keepdim=True))),
    "shuffled by hand": tried(own.shuffled_by_hand, 4, width=16, out=4),
    "shuffled with open channels": tried(own.shuffled_with_open_channels, 4, width=16, out=4),
    "stacked, then apart": Own(lambda: between(own.Pair()), {"head": 8, "m0.a": 6, "m0.left": 8}),
    # Normalisation.
    "group norm": Own(lambda: between(nn.GroupNorm(2, 8), conv(8, 6), nn.GroupNorm(1, 6), out=6),
                      {"head": 4, "m1": 6}),
    "instance norm": Own(lambda: between(nn.InstanceNorm2d(8)), {"head": 8}),
    "tracked instance norm": Own(lambda: between(
        nn.InstanceNorm2d(8, affine=True, track_running_stats=True)), {"head": 8}),
    "batch statistics": Own(lambda: between(nn.BatchNorm2d(8, track_running_stats=False)),
                            {"head": 8}),
    "layer norm": Own(lambda: own.convnext(nn.LayerNorm), {"head": 8, "m0.c.1.wide": 16}),
    "rms norm": Own(lambda: own.convnext(nn.RMSNorm), {"head": 8, "m0.c.1.wide": 16}),
    # Sequences.
    "lstm": Own(lambda: sequences.Recurrent(nn.LSTM), {"conv": 8, "layer": 6}, shape=(2, 2, 7)),
    "gru": Own(lambda: sequences.Recurrent(nn.GRU), {"conv": 8, "layer": 6}, shape=(2, 2, 7)),
    "lstm, both ways": Own(sequences.LastStates, {"embed": 5, "layer": 6}, shape=(2, 4, 4)),
    "lstm cell": Own(sequences.CellLoop, {"embed": 5, "cell": 6}, shape=(2, 4, 4)),
    "lstm cell, literal": Own(lambda: sequences.CellLoop(6), {"embed": 5},
                              {"cell.weight_hh": BREAKS}, (2, 4, 4)),
    "text, lstm": Own(lambda: sequences.Text(True), {"embed": 8, "layer": 6}, shape=(2, 4),
                      words=11),
    "text, mean": Own(lambda: sequences.Text(False), {"embed": 8, "layer": 6}, shape=(2, 4),
                      words=11),
    "gated mlp": Own(sequences.gated_mlp, {"embed": 8, "block.gate": 12}, shape=(2, 4, 5)),
    # Attention: heads of nn.MultiheadAttention, and the width it was built for, stay.
    "vit": vit(sequences.Attending, {"patches.weight": BREAKS, "places": POSITIONS,
                                     "blocks.attention.in_proj_weight": BREAKS}, blocks__mlp__0=16),
    "vit, encoder": vit(lambda: sequences.encoder(norm_first=True), {
        "blocks.layers.1.self_attn.in_proj_weight": BREAKS}, blocks__layers__0__linear1=16,
        blocks__layers__1__linear1=16),
    "scale by size": vit(lambda: sequences.ByHand(None), {
        "blocks.q.weight": CHANGES, "blocks.kv.weight": CHANGES}, patches=8),
    "scale given": vit(lambda: sequences.ByHand(0.4), {}, patches=8, blocks__q=4),
    "whole heads": vit(lambda: sequences.ByHand(None, open_heads=True), {}, patches=8, blocks__q=3),
    "shared keys": vit(lambda: sequences.ByHand(None, open_heads=True, queries=24), {}, patches=8,
                       blocks__q=3),
}  # fmt: skip
OWN |= {
    # Sizes.
    "unflatten, open": Own(lambda: sizes.unflattened(-1, 4, 4), {"head": 8}, shape=(2, 5)),
    "unflatten, given": Own(lambda: sizes.unflattened(8, 4, 4), {}, {"head.weight": EMPTY},
                            shape=(2, 5)),
    "size of a layer": Own(sizes.FromCode, {"head": 8, "conv": 6}, shape=(2, 5)),
    "reshaped with open channels": tried(
        lambda x: x.reshape(len(x), -1, 4, 8, 8).mean(2), 4, width=16, out=4),
    "viewed as": tried(lambda x: x.flatten(1).view_as(x), 8),
    "no channels": Own(sizes.NoChannels, {"head": 8}),
    "numbers by place": kept("it is picked by its number", sizes.numbers_by_place),
    "asked, wide stays": Own(sizes.TURNING["added where equal"], {"next": 6},
                             {"head.weight": TURNS}),
    "asked for one width": Own(sizes.TURNING["one width"], {}, {"head.weight": TURNS}),
}  # fmt: skip
OWN |= {f"in order: {name}": tried(step, 8) for name, step in sizes.IN_ORDER.items()}
OWN |= {f"asked in vain: {name}": tried(step, 8) for name, step in sizes.STEADY.items()}
OWN |= {f"over channels: {name}": kept("", step) for name, step in sizes.OVER_CHANNELS.items()}
OWN |= {f"by place: {name}": kept(CHANGES, step) for name, step in places.BY_PLACE.items()}
OWN |= {f"counting: {name}": kept(CHANGES, step) for name, step in places.COUNTING.items()}

PRUNABLE = [name for name, case in OWN.items() if case.groups]


@cache
def built(name: str) -> tuple[nn.Module, nn.Module, Graph]:
    """A case's network, a copy of it from before its graph was built, and the graph.

    Some of its modules are in training mode, and some parameters take no gradients. None of the
    three may be changed.
    """
    torch.manual_seed(zlib.crc32(name.encode()))
    network = lively(OWN[name].make())
    for number, module in enumerate(network.modules()):
        module.training = number % 3 == 0
    for number, parameter in enumerate(network.parameters()):
        parameter.requires_grad_(parameter.requires_grad and number % 4 < 3)
    before = copy.deepcopy(network)
    return network, before, build_graph(network, OWN[name].shape)
