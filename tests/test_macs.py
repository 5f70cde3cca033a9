"""MACs by formulas by hand, on the meta device and for real; what is left out is told."""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import DeformConv2d, deform_conv2d

from stages.figures import contents
from stages.measuring.macs import macs_of


class Real(nn.Module):
    """Runs for real only, as a network that looks at values does."""

    def __init__(self, inside: nn.Module):
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Any:
        return self.inside(x) if float(x.sum()) < 1 else x


class OwnStates(nn.Module):
    """A recurrent layer whose first states are made on the CPU."""

    def __init__(self, inputs: int, hidden: int, layers: int, classes: int):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, classes)
        self.shape = layers, hidden

    def forward(self, x: Tensor) -> Tensor:
        layers, hidden = self.shape
        states = torch.zeros(layers, len(x), hidden), torch.zeros(layers, len(x), hidden)
        return self.head(self.lstm(x, states)[0][:, -1])  # type: ignore[no-any-return]


class Deformed(nn.Module):
    """Offsets by a convolution of their own, and a mask besides."""

    def __init__(self, inside: int, outside: int, kernel: int, groups: int = 1):
        super().__init__()
        self.offset = nn.Conv2d(inside, 2 * kernel**2, kernel)
        self.conv = DeformConv2d(inside, outside, kernel, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        offset = self.offset(x)
        mask = torch.sigmoid(offset[:, ::2])
        return deform_conv2d(x, offset, self.conv.weight, self.conv.bias, mask=mask)


class Pairs(nn.Module):
    """A bilinear layer between the two halves of a vector."""

    def __init__(self, one: int, two: int, out: int):
        super().__init__()
        self.one, self.layer = one, nn.Bilinear(one, two, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x[..., : self.one], x[..., self.one :])  # type: ignore[no-any-return]


class By(nn.Module):
    """One parameter, and a function of it and the input."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], *shape: int):
        super().__init__()
        self.held = nn.Module()
        self.held.kernel = nn.Parameter(torch.ones(shape))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.held.kernel)  # type: ignore[arg-type]


def lstm(inputs: int, hidden: int, layers: int, steps: int) -> int:
    return 4 * hidden * steps * (inputs + hidden + (layers - 1) * 2 * hidden)


def encoder(width: int, wide: int, layers: int, tokens: int) -> int:
    """Query, key, value and output; scores and their sums; two linear layers."""
    return layers * tokens * (4 * width**2 + 2 * tokens * width + 2 * width * wide)


def encoder_network(width: int, heads: int, wide: int, layers: int) -> nn.Module:
    layer = nn.TransformerEncoderLayer(width, heads, wide, batch_first=True)
    return nn.TransformerEncoder(layer, layers)


CASES = [
    (nn.LSTM(7, 12, 2, batch_first=True), (3, 9, 7), 3 * lstm(7, 12, 2, 9)),
    (nn.LSTM(5, 8, bidirectional=True), (6, 2, 5), 2 * 2 * lstm(5, 8, 1, 6)),
    (nn.LSTM(5, 8, proj_size=3), (6, 1, 5), 6 * (4 * 8 * (5 + 3) + 8 * 3)),
    (nn.GRU(7, 12, batch_first=True), (1, 9, 7), 9 * 3 * 12 * (7 + 12)),
    (nn.RNN(7, 12, 2, batch_first=True), (1, 9, 7), 9 * 12 * (7 + 12 + 12 + 12)),
    (encoder_network(16, 4, 32, 1), (1, 10, 16), encoder(16, 32, 1, 10)),
    (encoder_network(12, 2, 20, 3), (2, 7, 12), 2 * encoder(12, 20, 3, 7)),
    (Deformed(4, 6, 3), (2, 4, 8, 9), 2 * 6 * 7 * 9 * 4 * (18 + 6)),
    (Deformed(4, 6, 3, groups=2), (1, 4, 8, 9), 6 * 7 * 9 * (4 * 18 + 2 * 6)),
    (Pairs(3, 4, 5), (2, 7), 2 * 3 * 4 * 5),
    (Pairs(2, 6, 3), (4, 5, 8), 4 * 5 * 2 * 6 * 3),
    (nn.Linear(7, 5), (7,), 7 * 5),
    (By(torch.matmul, 6), (3, 5, 6), 3 * 5 * 6),
    (By(lambda x, w: x[0] @ w, 6), (1, 6), 6),
    (By(lambda x, w: torch.addmv(x[0, 0], x[0], w), 4), (1, 4, 4), 4 * 4),
    (By(lambda x, w: torch.addbmm(x[0], x, w), 3, 4, 4), (3, 4, 4), 3 * 4 * 4 * 4),
    (By(lambda x, w: torch.conv_tbc(x, w, w[0, 0]), 3, 4, 5), (9, 2, 4), 7 * 2 * 5 * 3 * 4),
    (By(lambda x, w: torch.einsum("ncl,kc->nkl", x, w), 5, 4), (2, 4, 6), 2 * 5 * 4 * 6),
]


@pytest.mark.parametrize(("network", "shape", "macs"), CASES)
def test_both_ways_of_counting_give_the_formula(
    network: nn.Module, shape: tuple[int, ...], macs: int
) -> None:
    for way in (network, Real(network)):
        found = macs_of(way, shape)
        assert (found.count, found.note) == (macs, ""), type(way)


@pytest.mark.parametrize(("inputs", "hidden", "layers", "steps"), [(8, 20, 1, 40), (3, 6, 2, 5)])
def test_states_made_on_the_cpu_hide_nothing(
    inputs: int, hidden: int, layers: int, steps: int
) -> None:
    network = OwnStates(inputs, hidden, layers, 4)
    wanted = 2 * (lstm(inputs, hidden, layers, steps) + hidden * 4)
    assert macs_of(network, (2, steps, inputs)).count == wanted


def test_attention_that_insists_on_a_fused_kernel_is_counted() -> None:
    class Fused(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
                return nn.functional.scaled_dot_product_attention(x, x, x)

    assert macs_of(Real(Fused()), (2, 4, 10, 8)).count == 2 * 2 * 4 * 10 * 10 * 8


def test_counting_for_real_leaves_the_network_and_the_draws_alone() -> None:
    network = Real(nn.Sequential(nn.Linear(4, 4), nn.Dropout())).train()
    before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    macs_of(network, (2, 4))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


HIDDEN = [
    (By(torch.cdist, 5, 4), (3, 4), "_cdist_forward"),
    (By(lambda x, w: (x[:, None] * w).sum(-1), 5, 4), (3, 4), "mul"),
    (By(lambda x, w: (x[:, None].expand(-1, 5, -1) * w.abs()).sum(-1), 5, 4), (3, 4), "mul"),
]


@pytest.mark.parametrize(("layer", "shape", "operator"), HIDDEN)
def test_a_layer_that_is_not_counted_is_named(
    layer: nn.Module, shape: tuple[int, ...], operator: str
) -> None:
    for way in (nn.Sequential(layer), Real(nn.Sequential(layer))):
        found = macs_of(way, shape)
        (name,) = found.not_counted
        assert name.endswith("0.held")
        assert operator in found.not_counted[name]
        assert name in found.note
        assert operator in found.note


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4), nn.GroupNorm(2, 4),
                      nn.InstanceNorm2d(4, affine=True), nn.LayerNorm(6), nn.RMSNorm(6)),
        By(lambda x, w: x * w + w, 2, 1, 1),
        By(lambda x, w: torch.cat([x, w.expand(len(x), -1, -1, -1)], 1), 2, 8, 8),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 4, 3)),
        By(lambda x, w: nn.functional.embedding(x.long()[:, 0], w), 5, 3),
    ],
)  # fmt: skip
def test_scaling_shifting_and_looking_up_leave_nothing_out(network: nn.Module) -> None:
    assert macs_of(network, (3, 2, 8, 8)).not_counted == {}


def test_the_report_says_below_the_table_what_macs_leave_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contents, "models_table", lambda *_: (["model"], [["dense"]]))
    monkeypatch.setattr(contents, "steps_table", lambda *_: (["step"], [["step1"]]))
    note = macs_of(By(torch.cdist, 5, 4), (3, 4)).note

    def page(note: str) -> str:
        record = {"macs_note": note}
        results = SimpleNamespace(
            summary={"selected": "step1"}, records={"step1": record, "step2": record},
            measures=SimpleNamespace(baseline="bicubic", quality=None, metrics=()), rows=[],
            own=SimpleNamespace(tables=lambda _: {}), decision={"decided": False},
        )  # fmt: skip
        return "".join(contents._tables(results))  # type: ignore[arg-type]

    told = page(note)
    assert told.count("MACs leave out held (aten::_cdist_forward)") == 1
    assert told.index("dense") < told.index("MACs leave out") < told.index("step1")
    assert "leave out" not in page("")
