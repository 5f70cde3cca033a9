"""Flow through positive networks: gates held constant, no overflow, whatever normalises."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from stages.weights import scaling
from stages.weights.order import masks_at
from stages.weights.positive import positive_copy
from stages.weights.prunable import prunable
from stages.weights.synflow import densities, synflow_order, synflow_scores

SHAPE = (1, 3, 8, 8)


def scores(network: nn.Module, shape: tuple[int, ...] = SHAPE) -> dict[str, Tensor]:
    positive = positive_copy(network)
    return synflow_scores(positive, prunable(positive), shape)


def conv(inside: int, outside: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, kernel, padding=kernel // 2, bias=False)


def close(one: dict[str, Tensor], other: dict[str, Tensor], factor: float = 1.0) -> bool:
    return all(torch.allclose(factor * one[n], other[n], rtol=1e-9, atol=0) for n in other)


class Gated(nn.Module):
    """Channels are weighed by what a small network makes of their means."""

    def __init__(self, gate: Callable[[Tensor], Tensor] | None):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = conv(3, 8), conv(8, 4)
        self.fewer, self.more = conv(8, 2, 1), conv(2, 8, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))
        if self.gate is not None:
            x = x * self.gate(self.more(functional.relu(self.fewer(x.mean((2, 3), keepdim=True)))))
        return self.last(x)  # type: ignore[no-any-return]


GATES = [
    nn.Sigmoid(), nn.Hardsigmoid(), torch.sigmoid, lambda z: 1 - z.sigmoid(),
    nn.Softmax(1), lambda z: functional.hardsigmoid(z, inplace=True) * 2,
]  # fmt: skip


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_changes_no_flow_but_its_own(gate: Callable[[Tensor], Tensor]) -> None:
    """The trunk as if there were no gate; each layer of the gate has what the gate passes on."""
    found, plain = scores(Gated(gate)), scores(Gated(None))
    assert not plain["fewer.weight"].any()  # the control: nothing flows through it
    for name in ("first.weight", "last.weight"):
        assert torch.allclose(found[name], plain[name], rtol=1e-12)
    flow = float(plain["last.weight"].sum())
    for name, score in found.items():
        assert float(score.sum()) == pytest.approx(flow, rel=1e-9), name


def test_gates_in_a_row_do_not_favour_early_layers() -> None:
    """With every gate a factor of flow, the first layer's scores would double with each."""
    torch.manual_seed(0)
    layers = [torchvision.ops.SqueezeExcitation(6, 3) for _ in range(30)]
    found = scores(nn.Sequential(conv(3, 6), *layers, conv(6, 2)))
    first, last = found["0.weight"].sum(), found["31.weight"].sum()
    assert float(first) == pytest.approx(float(last), rel=1e-9)


class Attention(nn.Module):
    def __init__(self, by_hand: bool):
        super().__init__()
        torch.manual_seed(0)
        self.qkv, self.out = nn.Linear(8, 24, bias=False), nn.Linear(8, 5, bias=False)
        self.by_hand = by_hand

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        if self.by_hand:
            mixed = (q @ k.mT / 2).softmax(-1) @ v
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


@pytest.mark.parametrize("by_hand", [True, False])
def test_queries_and_keys_have_as_much_flow_as_values(by_hand: bool) -> None:
    found = scores(Attention(by_hand), (2, 5, 8))
    flow = float(found["out.weight"].sum())
    for part in found["qkv.weight"].chunk(3):
        assert float(part.sum()) == pytest.approx(flow, rel=1e-9)


def test_multi_head_attention_passes_flow_to_all_of_its_weights() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, bias=False)
    found = scores(nn.Sequential(layer, nn.Linear(8, 3, bias=False)), (2, 5, 8))
    for part in found["0.self_attn.in_proj_weight"].chunk(3):
        assert float(part.sum()) == pytest.approx(float(found["0.self_attn.out_proj.weight"].sum()))
    assert all((score > 0).all() for score in found.values())


def test_products_of_activations_conserve_flow() -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.a, self.b, self.last = conv(3, 4), conv(4, 4), conv(4, 4), conv(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            return self.last(functional.silu(self.a(x)) * self.b(x))  # type: ignore[no-any-return]

    found = scores(Product())
    flow = float(found["last.weight"].sum())
    assert float(found["first.weight"].sum()) == pytest.approx(flow, rel=1e-9)
    assert float(found["a.weight"].sum()) == pytest.approx(flow / 2, rel=1e-9)
    assert float(found["b.weight"].sum()) == pytest.approx(flow / 2, rel=1e-9)


class Block(nn.Module):
    """Joins of all kinds, with biases: what a wrong unit of a single tensor would change."""

    def __init__(self, width: int):
        super().__init__()
        self.one, self.two = nn.Conv2d(width, width, 3, padding=1), conv(2 * width, width)
        self.norm = nn.BatchNorm2d(width)
        self.place = nn.Parameter(torch.rand(1, width, 1, 1))
        nn.init.uniform_(self.norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm(self.one(x)))
        y = self.two(torch.cat([y, x + self.place], 1))
        y += x
        return y + torch.stack([x, y]).mean(0) + 1  # type: ignore[no-any-return]


def blocks(count: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(conv(3, 6), *(Block(6) for _ in range(count)), conv(6, 2))


def test_rescaling_changes_scores_by_one_power_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = scores(blocks(6))
    monkeypatch.setattr(scaling, "LARGE", 8.0)
    scaled = scores(blocks(6))
    factor = float(plain["0.weight"].sum() / scaled["0.weight"].sum())
    assert factor > 1e6  # the control: it was rescaled
    assert math.log2(factor) == pytest.approx(round(math.log2(factor)), abs=1e-9)
    assert close(scaled, plain, 2.0 ** round(math.log2(factor)))


def test_hundreds_of_blocks_neither_overflow_nor_lose_flow() -> None:
    network = blocks(300)
    with torch.no_grad():  # the control: beyond what a number can hold
        assert not bool(torch.isfinite(positive_copy(network)(torch.ones(SHAPE).double())).all())
    found = scores(network)
    sums = [float(score.sum()) for name, score in found.items() if "place" not in name]
    assert all(0 < value < math.inf for value in sums)
    assert max(sums) / min(sums) < 1e3


class OwnNorm(nn.LayerNorm):
    """Over channels, as ConvNeXt's."""

    def forward(self, x: Tensor) -> Tensor:
        x = functional.layer_norm(
            x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps
        )
        return x.permute(0, 3, 1, 2)


NORMS = [
    OwnNorm(6), torchvision.models.convnext.LayerNorm2d(6), nn.GroupNorm(2, 6), nn.GroupNorm(6, 6),
    nn.InstanceNorm2d(6, affine=True), nn.BatchNorm2d(6, track_running_stats=False),
    nn.LocalResponseNorm(2),
]  # fmt: skip


class Times(nn.Module):
    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight.view(-1, 1, 1)


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: type(norm).__name__)
def test_normalisation_only_scales(norm: nn.Module) -> None:
    weight = getattr(norm, "weight", torch.ones(6))
    torch.manual_seed(0)
    if "weight" in dict(norm.named_parameters()):
        nn.init.uniform_(weight)
    one, two = conv(3, 6), conv(6, 2)
    found = scores(nn.Sequential(one, norm, two))
    assert close(found, scores(nn.Sequential(one, Times(weight.detach()), two)))


@pytest.mark.parametrize("head", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()])
def test_heads_that_saturate_pass_flow_on(head: nn.Module) -> None:
    body = nn.Sequential(conv(3, 6), nn.Flatten(), nn.Linear(384, 5))
    found, plain = scores(nn.Sequential(body, head)), scores(body)
    shared = {f"0.{name}": score for name, score in plain.items()}
    factor = float(plain["0.weight"].sum() / found["0.0.weight"].sum())
    assert close(found, shared, factor)


SWEPT = [
    "mobilenet_v3_small",
    *(pytest.param(name, marks=pytest.mark.slow)
      for name in ("efficientnet_b0", "convnext_tiny", "resnet18", "regnet_y_400mf")),
]  # fmt: skip


@pytest.mark.parametrize("name", SWEPT)
def test_networks_of_torchvision_are_swept(name: str) -> None:
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None, num_classes=8)
    shape = (1, 3, 32, 32)
    assert all(float(score.sum()) > 0 for score in scores(network, shape).values())
    falling = densities("exponential", 3, 0.99)
    order = synflow_order(network, shape, ("weights",), "global", falling)
    places = torch.cat([part.reshape(-1) for part in order.values()])
    assert torch.equal(places.sort().values, torch.arange(len(places)))
    left = [sum(int(mask.sum()) for mask in masks_at(order, s).values()) for s in (0, 0.5, 0.99)]
    assert all(a > b for a, b in pairwise(left))
