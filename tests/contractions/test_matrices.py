"""A contraction is the product of its rows and its matrices, whatever its kind."""

import pytest
import torch
from torch import Tensor, nn

from stages.contractions.calls import Call, GradientsSeen, Layer
from stages.contractions.matrices import (
    as_matrices,
    from_matrices,
    input_rows,
    output_rows,
    positions_in,
    some_positions,
)
from stages.contractions.running import all_calls, run_until

CASES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(5, 3), (4, 5)),
    "linear over positions": (nn.Linear(5, 3, bias=False), (2, 7, 5)),
    "1-D": (nn.Conv1d(3, 4, 5, stride=2, padding=2, dilation=2), (2, 3, 20)),
    "2-D": (nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0)), (2, 3, 9, 8)),
    "2-D, no bias": (nn.Conv2d(3, 4, 3, bias=False), (2, 3, 9, 8)),
    "3-D": (nn.Conv3d(2, 3, (2, 3, 1), padding=(0, 1, 0)), (2, 2, 4, 5, 3)),
    "circular": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (2, 3, 6, 5)),
    "same": (nn.Conv1d(3, 4, 4, padding="same"), (2, 3, 11)),
    "grouped": (nn.Conv2d(6, 4, 3, groups=2), (2, 6, 5, 5)),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4), (2, 4, 5, 5)),
    "transposed": (nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1), (2, 3, 5, 4)),
    "transposed, odd": (
        nn.ConvTranspose1d(3, 4, 3, stride=3, padding=3, output_padding=2, dilation=2), (2, 3, 9)
    ),
    "transposed, grouped": (nn.ConvTranspose2d(6, 4, 3, stride=2, groups=2), (2, 6, 4, 4)),
    "transposed, depthwise": (nn.ConvTranspose2d(4, 4, 2, stride=2, groups=4), (2, 4, 3, 3)),
    "transposed 3-D": (nn.ConvTranspose3d(2, 3, 2, stride=(1, 2, 1)), (1, 2, 3, 2, 3)),
}  # fmt: skip


def weight_of(network: nn.Module, layer: Layer) -> Tensor:
    return network.get_parameter(layer.weight).detach()[layer.start : layer.start + layer.rows]


def product(network: nn.Module, call: Call, places: Tensor) -> Tensor:
    rows = input_rows(call, places)
    matrices = as_matrices(weight_of(network, call.layer), call.layer.geometry)
    made = (rows @ matrices.mT).movedim(0, 1)
    return made.flatten(1) + (0 if call.bias is None else call.bias)


@pytest.mark.parametrize("name", CASES)
def test_rows_times_matrices_are_what_the_layer_gives(name: str) -> None:
    layer, shape = CASES[name]
    torch.manual_seed(0)
    network = nn.Sequential(layer).double()
    (call,), elsewhere = all_calls(network, torch.randn(shape, dtype=torch.float64))
    assert not elsewhere
    geometry = call.layer.geometry
    positions = positions_in(call.outputs, geometry)
    for places in (torch.arange(positions), some_positions(call.outputs, geometry, 3)):
        given = output_rows(call.outputs, geometry, places)
        assert torch.allclose(product(network, call, places), given, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_weights_come_back_from_their_matrices(name: str) -> None:
    layer, shape = CASES[name]
    network = nn.Sequential(layer).double()
    (call,), _ = all_calls(network, torch.randn(shape, dtype=torch.float64))
    weight, geometry = layer.weight.detach(), call.layer.geometry
    again = from_matrices(as_matrices(weight, geometry), geometry, weight.shape)
    assert torch.equal(again, weight)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_outputs(name: str) -> None:
    layer, shape = CASES[name]
    torch.manual_seed(0)
    network = nn.Sequential(layer).double()
    output = network(torch.randn(shape, dtype=torch.float64).requires_grad_())
    wanted = torch.randn_like(output)
    found = {}
    with GradientsSeen(network, found.__setitem__):
        output.backward(wanted)
    ((one, gradient),) = found.items()
    assert one.weight == "0.weight"
    assert torch.equal(gradient, wanted.reshape(gradient.shape))


def test_projections_of_attention_are_rows_of_one_weight() -> None:
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, batch_first=True).double()

    class Crossed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = attention

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, x[:, :3] + 1, x[:, :3] + 1)[0]

    network = Crossed()
    calls, _ = all_calls(network, torch.randn(2, 5, 8, dtype=torch.float64))
    named = [(call.layer.weight, call.layer.start, call.layer.rows) for call in calls]
    whole = "attention.in_proj_weight"
    assert named[0] == (whole, 0, 8)
    assert sum(rows for weight, _, rows in named if weight == whole) == 24
    assert named[-1] == ("attention.out_proj.weight", 0, 8)
    for call in calls:
        places = torch.arange(len(call.outputs))
        assert torch.allclose(product(network, call, places), call.outputs, atol=1e-12)


def test_a_run_ends_with_the_last_call_that_is_wanted() -> None:
    ran = []

    class Noted(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            try:
                return super().forward(x)
            except Exception:  # as careless code would
                return x
            finally:
                ran.append(self)

    network = nn.Sequential(*(Noted(3, 3) for _ in range(4)))
    seen = []
    run_until(network, torch.randn(2, 3), {1: seen.append})
    assert [call.layer.weight for call in seen] == ["1.weight"]
    assert len(ran) == 2


def test_a_parameter_that_is_used_otherwise_is_named() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(7, 4)

        def forward(self, x: Tensor) -> Tensor:
            looked_up = self.words(x.argmax(1))
            return looked_up @ self.words.weight.t()

    calls, elsewhere = all_calls(Tied(), torch.randn(5, 7))
    assert [call.layer.weight for call in calls] == ["words.weight"]
    assert elsewhere == {"words.weight"}


def test_parameters_in_one_piece_of_memory_are_told_apart() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    memory = torch.randn(2, 3, 3)
    for layer, part in zip(network, memory, strict=True):
        layer.weight = nn.Parameter(part)
    assert network[0].weight.untyped_storage().data_ptr() == memory.untyped_storage().data_ptr()
    calls, _ = all_calls(network, torch.randn(2, 3))
    assert [call.layer.weight for call in calls] == ["0.weight", "1.weight"]
    assert [call.layer.start for call in calls] == [0, 0]
