"""ONNX files and 8-bit ones: they compute what the network computes, and say nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

from stages.channels.proof import relative_error
from stages.exporting.eight_bit import quantise
from stages.exporting.onnx_file import export_onnx
from stages.exporting.onnx_network import OnnxNetwork
from stages.networks.residual import residual_picture, residual_signal

pytestmark = pytest.mark.slow

SHAPES = {"conv1d": (1, 2, 96), "conv2d": (1, 3, 24, 24)}
CLASSES, BATCH = 5, (0,)  # only the batch may have any length
Exported = Callable[[str], tuple[nn.Module, Path]]


def lively(name: str) -> nn.Module:
    """A residual classifier whose statistics and scores are its own."""
    torch.manual_seed(0)
    if name == "conv1d":
        network = residual_signal(CLASSES, SHAPES[name][1:], widths=(12, 16, 16))
    else:
        network = residual_picture(CLASSES, SHAPES[name][1:], widths=(8, 16, 24, 32))
    with torch.no_grad():
        for _ in range(20):
            network.train()(some(name, 16))
        network.head.weight.mul_(10)  # classes clearly apart, as after training
        scores = network.eval()(some(name, 200))
        network.head.bias.sub_(scores.mean(0))
    return network


def some(name: str, count: int) -> Tensor:
    """Inputs whose strengths differ, as those of real data do."""
    x = torch.randn(count, *SHAPES[name][1:])
    return x * torch.linspace(0.5, 2, count).reshape(-1, *[1] * (x.dim() - 1))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Every network's file, and its 8-bit file beside it, written once."""
    done: dict[str, tuple[nn.Module, Path]] = {}

    def export(name: str) -> tuple[nn.Module, Path]:
        if name not in done:
            network, folder = lively(name), tmp_path_factory.mktemp(name)
            export_onnx(network, SHAPES[name], BATCH, folder / "network.onnx")
            samples = (some(name, 64) for _ in range(3))
            quantise(folder / "network.onnx", folder / "eight.onnx", samples)
            done[name] = network, folder
        return done[name]

    return export


def outputs(network: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return network(x)


@pytest.mark.parametrize("count", [1, 2, 7, 64])
@pytest.mark.parametrize("name", SHAPES)
def test_a_file_gives_the_networks_outputs_at_any_batch(
    exported: Exported, name: str, count: int
) -> None:
    network, folder = exported(name)
    x = some(name, count)
    given, wanted = OnnxNetwork(folder / "network.onnx")(x), outputs(network, x)
    assert (given.shape, given.dtype) == ((count, CLASSES), torch.float32)
    assert (given - wanted).abs().max() < 1e-4
    assert wanted.abs().max() > 0.1


def test_sizes_may_be_free_too_and_the_network_is_that_of_evaluation(tmp_path: Path) -> None:
    network = lively("conv2d").train()
    export_onnx(network, SHAPES["conv2d"], (0, 2, 3), tmp_path / "network.onnx")
    for x in (torch.randn(4, 3, 31, 18), torch.randn(1, 3, 40, 64)):
        given, wanted = OnnxNetwork(tmp_path / "network.onnx")(x), outputs(network.eval(), x)
        assert relative_error(given, wanted) < 1e-4


@pytest.mark.parametrize("name", SHAPES)
def test_eight_bits_are_smaller_and_near(exported: Exported, name: str) -> None:
    network, folder = exported(name)
    assert sorted(path.name for path in folder.iterdir()) == ["eight.onnx", "network.onnx"]
    eight, whole = ((folder / f"{file}.onnx").stat().st_size for file in ("eight", "network"))
    assert eight < 0.75 * whole
    stored = {w.name: w for w in onnx.load(folder / "eight.onnx").graph.initializer}
    weights = [name for name, weight in stored.items() if len(weight.dims) > 1]
    assert {stored[name].data_type for name in weights} == {onnx.TensorProto.INT8}
    scales = [stored[name.replace("_quantized", "_scale")] for name in weights]
    assert all(scale.dims[0] >= CLASSES for scale in scales), "one a channel"
    x = some(name, 300)
    given, wanted = OnnxNetwork(folder / "eight.onnx")(x), outputs(network, x)
    error = float((given - wanted).norm() / wanted.norm())
    assert 1e-6 < error < 0.2
    assert len(wanted.argmax(1).unique()) > 2
    assert (given.argmax(1) == wanted.argmax(1)).float().mean() > 0.9


def test_ranges_are_those_of_the_samples(exported: Exported, tmp_path: Path) -> None:
    network, folder = exported("conv2d")
    x = some("conv2d", 100)
    wanted, errors = outputs(network, x), []
    for scale in (1.0, 0.01):
        quantise(folder / "network.onnx", tmp_path / "eight.onnx", [scale * x])
        errors.append(relative_error(OnnxNetwork(tmp_path / "eight.onnx")(x), wanted))
    assert errors[0] < 0.3 * errors[1]


def test_every_sample_counts_for_the_ranges(exported: Exported, tmp_path: Path) -> None:
    """One batch of large inputs after many of small ones must widen the ranges."""
    network, folder = exported("conv2d")
    x = some("conv2d", 100)
    quantise(folder / "network.onnx", tmp_path / "eight.onnx", [0.01 * x, 0.01 * x, x])
    given, wanted = OnnxNetwork(tmp_path / "eight.onnx")(x), outputs(network, x)
    assert relative_error(given, wanted) < 0.2


class Deciding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.sum()) > 0 else -x


class Raising(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("no licence\nfor this")


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvals(x[:, :, None] * x[:, None]).real


class Looping(nn.Module):
    """Fine in PyTorch; a trace of it is good for one number of samples alone."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([2 * sample for sample in x])


def test_a_file_depends_on_no_place_on_this_machine(exported: Exported) -> None:
    """Else its bytes, which are reported, grow with the length of the path of this folder."""
    for file in exported("conv1d")[1].iterdir():
        assert b"residual.py" not in file.read_bytes()


@pytest.mark.parametrize("network", [Deciding(), Raising(), Unknown()])
def test_what_cannot_be_exported_is_refused_and_leaves_nothing(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch, network: nn.Module
) -> None:
    monkeypatch.chdir(tmp_path)  # where the exporter would leave a report of its own
    (tmp_path / "before.txt").write_text("mine")
    with refused("cannot be exported"):
        export_onnx(network, (1, 4), BATCH, tmp_path / "network.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["before.txt"]
    assert (tmp_path / "before.txt").read_text() == "mine"


def test_a_refusal_says_what_went_wrong_and_not_how_to_mend_pytorch(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no licence") as caught:
        export_onnx(Raising(), (1, 4), BATCH, tmp_path / "network.onnx")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_network_that_is_exported_for_one_batch_alone_is_refused(
    tmp_path: Path, refused: Any
) -> None:
    with refused("cannot be exported", "axis 0"):
        export_onnx(Looping(), (1, 4), BATCH, tmp_path / "network.onnx")


def test_exporting_says_nothing(tmp_path: Path, capfd: Any) -> None:
    export_onnx(lively("conv1d"), SHAPES["conv1d"], BATCH, tmp_path / "network.onnx")
    quantise(tmp_path / "network.onnx", tmp_path / "eight.onnx", [some("conv1d", 8)])
    OnnxNetwork(tmp_path / "eight.onnx")(some("conv1d", 2))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_exporting_says_nothing_but_its_refusal(tmp_path: Path, capfd: Any, refused: Any) -> None:
    with refused("cannot be exported"):
        export_onnx(Deciding(), (1, 4), BATCH, tmp_path / "network.onnx")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
