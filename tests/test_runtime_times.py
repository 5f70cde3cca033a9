"""Times by runtime: both models wherever both were verified, and gains that are ratios of them."""

from pathlib import Path

import pytest
import torch
from torch import nn

from stages import artifacts
from stages.exporting.onnx_file import export_onnx
from stages.exporting.runtimes import is_installed
from stages.networks.espcn import ESPCN
from stages.runtime_times import in_eight_bits, runtimes_of, time_in_runtimes
from stages.tasks.task import CostShapes

pytestmark = pytest.mark.slow

SHAPES = CostShapes((1, 1, 16, 16), (1, 1, 12, 20), 3)
ONNX = {"onnx", *(["openvino"] if is_installed("openvino") else [])}


@pytest.fixture
def pair() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"dense": ESPCN(width=16, scale=2).eval(), "step1": ESPCN(width=4, scale=2).eval()}


@pytest.fixture
def folders(workspace: Path, pair: dict[str, nn.Module]) -> dict[str, Path]:
    found = {name: workspace / name for name in pair}
    for name, network in pair.items():
        found[name].mkdir()
        export_onnx(network, (1, 1, 16, 16), (0, 2, 3), found[name] / "network.onnx")
        kept = {runtime: {} for runtime in ONNX}
        artifacts.write_json(found[name] / artifacts.EXPORTED_RECORD, {"kept": kept})
    return found


def test_all_runtimes_are_there_and_gains_are_ratios(
    pair: dict[str, nn.Module], folders: dict[str, Path]
) -> None:
    runtimes = runtimes_of(pair, folders)
    assert runtimes.keys() == {"torch", "torch_channels_last"} | ONNX
    times = time_in_runtimes(runtimes, {"dense": 900, "step1": 300}, SHAPES)
    assert times["macs_gain"] == 3
    assert times["threads"] == torch.get_num_threads()
    for row in times["by_runtime"].values():
        assert 0 < row["latency_low_ms"] <= row["latency_ms"] <= row["latency_high_ms"]
        assert row["time_gain"] == row["dense_latency_ms"] / row["latency_ms"]
        assert row["gain_ratio"] == row["time_gain"] / 3
        assert row["latency_runs"] == 3


def test_both_models_compute_the_same_in_every_runtime(
    pair: dict[str, nn.Module], folders: dict[str, Path]
) -> None:
    x = torch.rand(1, 1, 12, 20)
    for open_both in runtimes_of(pair, folders).values():
        for name, network in open_both().items():
            with torch.no_grad():
                assert (network(x) - pair[name](x)).abs().max() < 1e-5


def test_a_runtime_in_which_one_model_was_not_verified_is_left_out(
    pair: dict[str, nn.Module], folders: dict[str, Path]
) -> None:
    artifacts.write_json(folders["step1"] / artifacts.EXPORTED_RECORD, {"kept": {}})
    assert runtimes_of(pair, folders).keys() == {"torch", "torch_channels_last"}
    artifacts.write_no_export(folders["step1"], "it was passed on")
    assert runtimes_of(pair, folders).keys() == {"torch", "torch_channels_last"}


def test_eight_bits_stand_beside_the_dense_model_in_float(
    pair: dict[str, nn.Module], folders: dict[str, Path]
) -> None:
    runtimes = runtimes_of(pair, folders)
    small = in_eight_bits(runtimes, "step1", folders["dense"] / "network.onnx")
    assert small.keys() == {f"{name}_8bit" for name in ONNX}
    x = torch.rand(1, 1, 12, 20)
    both = small["onnx_8bit"]()
    assert torch.equal(both["dense"](x), both["step1"](x)), "here it is the same file"


def test_signals_have_no_order_of_channels(workspace: Path) -> None:
    pair: dict[str, nn.Module] = {name: nn.Conv1d(1, 1, 3) for name in ("dense", "step1")}
    assert runtimes_of(pair, {}).keys() == {"torch"}
