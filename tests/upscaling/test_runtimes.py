"""Frames through exported models: the same as in PyTorch, also over tiles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stages import artifacts
from stages.exporting.in_parts import OnnxInParts, means_of, parts_of
from stages.exporting.onnx_file import export_onnx
from stages.exporting.runtimes import is_installed
from stages.inference.upsampling import run
from stages.measuring.digest import model_digest
from stages.networks.drln import DRLN
from stages.networks.espcn import ESPCN
from stages.networks.saved import About, save_network
from stages.upscaling.reach import reach_of
from stages.upscaling.tiles import over_tiles
from stages.video.decoding import decoded
from tests.upscaling.conftest import Upsample, write_source
from tests.upscaling.networks import RCANLike

SHAPE, AXES = (1, 1, 16, 16), (0, 2, 3)
RUNTIMES = ["onnx", *(["openvino"] if is_installed("openvino") else [])]
NETWORKS = {
    "drln": lambda: DRLN(width=4, modules=1, scale=2),
    "espcn": lambda: ESPCN(width=4, scale=2),
    "means at two resolutions": RCANLike,
}

pytestmark = pytest.mark.slow


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name]().eval()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_in_a_runtime_are_the_whole_frame_in_pytorch(
    name: str, runtime: str, tmp_path: Path
) -> None:
    network, path = made(name), tmp_path / "network.onnx"
    export_onnx(network, SHAPE, AXES, path)
    exported, luma = OnnxInParts(path, runtime), torch.rand(2, 1, 83, 70)
    whole, reach = run(network, luma, 2), reach_of(exported, 2, network)
    assert len(exported.means) == len(reach.means)
    for given in (run(exported, luma, 2), over_tiles(exported, luma, 2, 32, reach)):
        assert (given - whole).abs().max() < 1e-5 * whole.abs().max()


def test_without_the_means_of_the_whole_frame_tiles_are_off(tmp_path: Path) -> None:
    network, path = made("means at two resolutions"), tmp_path / "network.onnx"
    export_onnx(network, SHAPE, AXES, path)
    exported, luma = OnnxInParts(path, "onnx"), torch.rand(1, 1, 64, 64)
    luma[..., :32] *= 0.1
    whole, left = run(network, luma, 2), run(exported, luma[..., :32], 2)
    assert (left[..., :40] - whole[..., :40]).abs().max() > 1e-4 * whole.abs().max()


def test_parts_hold_every_operator_but_the_means_once(tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "network.onnx"
    export_onnx(made("means at two resolutions"), SHAPE, AXES, path)
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    means = means_of(model)
    parts = parts_of(model, means)
    assert len(parts) == len(means) + 1 == 4
    inside = [node.output[0] for part in parts for node in part.graph.node]
    assert len(inside) == len(set(inside))
    whole = {node.output[0] for node in model.graph.node}
    assert whole - set(inside) == {mean.name for mean in means}
    for part in parts:
        onnx.checker.check_model(part)


@pytest.fixture
def exported(workspace: Path) -> Path:
    """A model with its export, as the pipeline leaves them."""
    model, network = workspace / "mine", made("espcn")
    model.mkdir()
    save_network(model, network, About("espcn", {"width": 4, "scale": 2}, SHAPE))
    folder = artifacts.EXPORTED / "pruned"
    folder.mkdir(parents=True)
    export_onnx(network, SHAPE, AXES, folder / "network.onnx")
    kept = {runtime: {"dynamic_axes": list(AXES), "error": 0.0} for runtime in RUNTIMES}
    record = {"digest": model_digest(model), "kept": kept, "refused": {}}
    artifacts.write_json(folder / artifacts.EXPORTED_RECORD, record)
    return model


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_command_makes_the_same_video_in_any_runtime(
    runtime: str, exported: Path, tmp_path: Path, command: Upsample
) -> None:
    source = tmp_path / "in.y4m"
    write_source(source)
    frames = []
    for name in ("torch", runtime):
        target = tmp_path / f"{name}.y4m"
        command(source, target, "--tile", 32, "--runtime", name, model=exported)
        with decoded(target, None) as (_, given):
            frames.append([luma.astype(int) for luma, *_ in given])
    for one, other in zip(*frames, strict=True):
        assert np.abs(one - other).max() <= 1, "values that lie between two may be rounded apart"
        assert (one != other).mean() < 1e-3


def test_a_model_without_an_export_is_refused(
    exported: Path, repeating: Path, tmp_path: Path, command: Upsample, refused: Any
) -> None:
    write_source(tmp_path / "in.y4m")
    with refused("is not exported for onnx", "dvc repro"):
        command(tmp_path / "in.y4m", tmp_path / "out.y4m", "--runtime", "onnx", model=repeating)
    assert not (tmp_path / "out.y4m").exists()


def test_a_refused_export_is_told_with_its_reason(
    exported: Path, tmp_path: Path, command: Upsample, refused: Any
) -> None:
    path = artifacts.EXPORTED / "pruned" / artifacts.EXPORTED_RECORD
    record = artifacts.read_json(path) | {"kept": {}, "refused": {"onnx": "no operator eig"}}
    artifacts.write_json(path, record)
    write_source(tmp_path / "in.y4m")
    with refused("not exported for onnx: no operator eig"):
        command(tmp_path / "in.y4m", tmp_path / "out.y4m", "--runtime", "onnx", model=exported)
