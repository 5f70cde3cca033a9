"""Exporting a whole model: what is kept is verified, what is not is told, nothing else is left."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from stages.errors import UserError
from stages.exporting import writing
from stages.exporting.classification import Standardising
from stages.exporting.onnx_network import OnnxNetwork
from stages.exporting.runtimes import is_installed
from stages.exporting.verifying import LIMIT, runs_on, shapes_to_check, verified
from stages.exporting.writing import Inputs, export_model
from stages.networks.espcn import ESPCN

pytestmark = pytest.mark.slow

LUMA = Inputs((1, 1, 16, 16), (0, 2, 3), (1, 1, 24, 40), lambda shape: torch.rand(shape))
EXTRAS = {name for name in ("openvino", "executorch") if is_installed(name)}


class Unshuffling(nn.Module):
    """Takes even sides alone."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.PixelUnshuffle(2), nn.PixelShuffle(4)
        self.layer = nn.Conv2d(4, 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.layer(self.down(x)))


class OfOneShape(nn.Module):
    """Adds a map of 24 x 40 to each input."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.rand(24, 40))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.map


class Spectrum(nn.Module):
    """No runtime has eigenvalues."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvals(x).abs()


def test_all_files_are_kept_and_hold_at_any_shape(tmp_path: Path) -> None:
    network = ESPCN(width=4, scale=2)
    made = export_model(network, LUMA, tmp_path / "network", {"scale": 2})
    assert made.refused == {}
    assert made.kept.keys() == {"onnx", "pt2"} | EXTRAS
    for kept in made.kept.values():
        assert kept.dynamic_axes == (0, 2, 3)
        assert kept.error < LIMIT
    x = torch.rand(2, 1, 33, 18)
    with torch.no_grad():
        expected = network(x)
    loaded = torch.export.load(tmp_path / "network.pt2").module()
    for given in (loaded(x), OnnxNetwork(tmp_path / "network.onnx")(x)):
        assert (given - expected).abs().max() < 1e-5


def test_the_file_says_what_a_user_must_know(tmp_path: Path) -> None:
    facts = {"task": "classification", "classes": ["a", "b"], "mean": [0.5]}
    export_model(ESPCN(width=4, scale=2), LUMA, tmp_path / "network", facts)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    known = session.get_modelmeta().custom_metadata_map
    assert known == {"task": "classification", "classes": '["a", "b"]', "mean": "[0.5]"}
    assert session.get_inputs()[0].shape == ["batch", 1, "height", "width"]


def test_sides_stay_free_where_they_must_be_even(tmp_path: Path) -> None:
    network = Unshuffling()
    made = export_model(network, LUMA, tmp_path / "network", {})
    assert made.kept["onnx"].dynamic_axes == (0, 2, 3)
    x = torch.rand(1, 1, 30, 46)
    given = OnnxNetwork(tmp_path / "network.onnx")(x)
    with torch.no_grad():
        assert (given - network(x)).abs().max() < 1e-5


def test_a_network_of_one_shape_keeps_the_one_in_use(tmp_path: Path) -> None:
    made = export_model(OfOneShape(), LUMA, tmp_path / "network", {})
    assert made.kept["onnx"].dynamic_axes == (0,)
    assert made.kept["onnx"].shape == (1, 1, 24, 40)
    assert made.refused == {}


def test_what_has_no_operator_is_refused_by_its_name_and_leaves_nothing(tmp_path: Path) -> None:
    inputs = Inputs((1, 4, 4), (0,), (1, 4, 4), lambda shape: torch.rand(shape))
    made = export_model(Spectrum(), inputs, tmp_path / "network", {})
    assert "linalg_eig" in made.refused["onnx"]
    assert "onnx" not in made.kept
    assert not (tmp_path / "network.onnx").exists()


@pytest.mark.skipif("openvino" not in EXTRAS, reason="it is an extra")
def test_what_one_runtime_lacks_is_refused_there_alone_with_its_operator(tmp_path: Path) -> None:
    network = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")
    made = export_model(network, LUMA, tmp_path / "network", {})
    assert "onnx" in made.kept
    assert "Pad" in made.refused["openvino"]
    assert len(made.refused["openvino"].splitlines()) == 1


def test_a_file_with_other_values_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_another(program: Any, path: Path, facts: Any = None) -> None:
        write(program, path, facts)
        model = onnx.load(path)
        weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
        values = onnx.numpy_helper.to_array(weight) * np.float32(1 + 1e-3)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        onnx.save(model, path)

    write = writing.write_onnx
    monkeypatch.setattr(writing, "write_onnx", write_another)
    made = export_model(ESPCN(width=4, scale=2), LUMA, tmp_path / "network", {})
    assert "off by" in made.refused["onnx"]
    assert not {"onnx", "openvino"} & made.kept.keys()
    assert "pt2" in made.kept
    assert not (tmp_path / "network.onnx").exists()


@pytest.mark.parametrize("wrong", [lambda y: y[..., 1:], lambda y: y * torch.nan])
def test_wrong_shapes_and_no_numbers_are_seen(wrong: Any) -> None:
    class Other(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = wrong(x)
            return made

    with pytest.raises(UserError):
        verified(nn.Identity(), Other(), [torch.rand(1, 4)])
    assert verified(nn.Identity(), nn.Identity(), [torch.rand(1, 4)]) == 0


def test_three_shapes_in_two_batches_are_looked_at() -> None:
    shapes = shapes_to_check((1, 1, 16, 16), (0, 2, 3), lambda shape: True)
    assert len(shapes) == len(set(shapes)) == 6
    assert {shape[0] for shape in shapes} == {1, 3}
    assert any(shape[2] % 2 and shape[3] % 2 for shape in shapes)
    assert all(h != w for _, _, h, w in shapes[1:3])
    network = Unshuffling()
    even = shapes_to_check((1, 1, 16, 16), (0, 2, 3), lambda s: runs_on(network, torch.rand(s)))
    assert len(even) == 6
    assert all(length % 16 == 0 for shape in even for length in shape[2:])
    assert shapes_to_check((1, 2, 64), (0,), lambda shape: True) == [(1, 2, 64), (3, 2, 64)]


def test_a_classifier_standardises_inside() -> None:
    mean, deviation = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]])
    wrapped = Standardising(nn.Identity(), mean, deviation)
    raw = torch.tensor([[[3.0, 1.0], [2.0, 6.0]]])
    assert torch.equal(wrapped(raw), torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
