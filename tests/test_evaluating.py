"""What `evaluate` and `summarise` write and say of tiny models."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stages import artifacts, codec, evaluate, summarise
from stages.networks.build import build_network
from stages.networks.saved import About, save_network
from stages.settings import CONTROLS
from tests.conftest import WriteParams


class Nearest(nn.Module):
    """Worse than bicubic on any picture; its parameter does nothing."""

    def __init__(self, scale: int = 2):
        super().__init__()
        self.idle, self.up = nn.Parameter(torch.zeros(3)), nn.Upsample(scale_factor=scale)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.up(x) + 0 * self.idle.sum()
        return made


FACTORY = f"{__name__}:Nearest"


def save(name: str, **about: Any) -> None:
    folder = artifacts.model_path(name)
    folder.mkdir(parents=True)
    save_network(folder, build_network(FACTORY, {}), About(FACTORY, {}, (1, 1, 8, 8), **about))


@pytest.fixture
def models(prepared: Path, tree: dict[str, Any], write_params: WriteParams) -> None:
    """A dense and a pruned model that do the same, and notes where there is nothing else."""
    tree["network"]["upsampling"]["factory"] = FACTORY
    write_params(tree)
    save("dense", stages=("finetune",))
    save("step1", stages=("finetune", "prune step1"), removed={"first": "0:2:1"})
    save("pruned", stages=("finetune", "prune step1"))
    nothing = [artifacts.CODEC, artifacts.SPARSE_MODEL]
    for name in ("dense", "step1", "pruned"):
        for folder in (artifacts.export_path(name), artifacts.EXPORTED / name):
            artifacts.write_no_export(folder, f"no {name}")
    missing = {"missing": {"pruned": "no pruned", "sparse": "no sparse"}}
    artifacts.write_json(artifacts.QUANTISED / artifacts.QUANTISED_RECORD, missing)
    for folder in (*nothing, *map(artifacts.control_path, CONTROLS)):
        artifacts.write_nothing(folder, "not asked for")
    artifacts.write_json(artifacts.verdict_path("dense"), {"keeps_criterion": True})


@pytest.mark.usefixtures("models")
def test_a_record_holds_the_spread_the_removed_channels_and_the_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluate", "step1"])
    evaluate.main()
    record = artifacts.read_json(artifacts.step_metrics("step1"))
    for name in ("", "dense_"):
        low, middle, high = (record[f"{name}latency_{q}ms"] for q in ("low_", "", "high_"))
        assert 0 < low <= middle <= high
    assert record["latency_runs"] == 1
    assert record["removed"] == {"first": "0:2:1"}
    assert "no better than bicubic on validation" in record["warning"]
    assert capsys.readouterr().out.startswith(f"warning: {record['warning']}\n")


@pytest.mark.usefixtures("models")
def test_a_dense_model_that_is_better_is_not_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Worse:
        def validate(self) -> float:
            return 1.0

    monkeypatch.setattr(evaluate, "baseline_of", lambda _: Worse())
    monkeypatch.setattr(sys, "argv", ["evaluate", "step1"])
    evaluate.main()
    assert artifacts.read_json(artifacts.step_metrics("step1"))["warning"] is None
    assert "warning" not in capsys.readouterr().out


def summarised(selected: str) -> dict[str, Any]:
    artifacts.write_json(artifacts.SELECTION, {"selected": selected, "reason": "so"})
    summarise.main()
    return artifacts.read_json(artifacts.SUMMARY)


def models_tested() -> set[str]:
    return {row["model"] for row in artifacts.read_csv(artifacts.TEST_TABLE)}


@pytest.mark.usefixtures("models")
def test_the_summary_warns_and_carries_the_spread(capsys: pytest.CaptureFixture[str]) -> None:
    summary = summarised("step1")
    assert "no better than bicubic on the test part" in summary["warning"]
    assert capsys.readouterr().out.startswith("warning: the dense model is no better")
    for model in ("dense", "pruned"):
        numbers = summary[model]
        assert numbers["latency_low_ms"] <= numbers["latency_ms"] <= numbers["latency_high_ms"]
        assert numbers["latency_runs"] == 1


@pytest.mark.usefixtures("models")
def test_the_dense_model_is_measured_once_where_it_was_selected(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = summarised("dense")
    assert summary["pruned"] == summary["dense"]
    assert "selected: dense" in capsys.readouterr().out
    assert models_tested() == {"bicubic", "dense"}
    assert not list(artifacts.EXAMPLES.rglob("pruned.png"))
    assert list(artifacts.EXAMPLES.rglob("dense.png"))
    other = summarised("step1")
    assert models_tested() == {"bicubic", "dense", "pruned"}
    assert other["pruned"].keys() == summary["pruned"].keys()


@pytest.mark.usefixtures("models")
def test_behind_codecs_the_dense_filter_is_measured_once_where_it_was_selected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"sequence": "a", "codec": "hevc", "mode": "low_delay", "vmaf": ""}

    def measure(_bench: Any, networks: Any, *_folders: Path) -> list[dict[str, Any]]:
        return [
            row | {"filter": name, "rate_kbps": 100.0 / qp, "psnr_db": 50.0 - qp / 2}
            for qp in (22, 27, 32, 37)
            for name in ("bicubic", *networks)
        ]

    monkeypatch.setattr("stages.codecs.bench.Bench.measure", measure)
    artifacts.SEQUENCES.mkdir(parents=True)
    codec.main()
    assert "pruned BD-rate" in capsys.readouterr().out
    shutil.rmtree(artifacts.SELECTED_MODEL)
    shutil.copytree(artifacts.DENSE_MODEL, artifacts.SELECTED_MODEL)
    codec.main()
    told = capsys.readouterr().out
    assert "dense BD-rate" in told
    assert "pruned" not in told
    summary = summarised("dense")
    assert summary["bd_rate_pruned"] == summary["bd_rate_dense"] is not None
