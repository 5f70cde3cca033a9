"""Bad input ends in one clear line, a non-zero exit, and nothing half-written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.pipeline.project import Project

pytestmark = pytest.mark.slow


def refused(project: Project, stage: str, *words: str) -> None:
    """The stage fails with one line that has all `words`, and writes nothing."""
    before = snapshot(project.folder)
    ran = project.call("python", "-m", *f"stages.{stage}".split())
    assert ran.code != 0
    lines = [line for line in ran.text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, ran.text
    assert "Traceback" not in ran.text
    for word in words:
        assert word in errors[0]
    assert snapshot(project.folder) == before


def snapshot(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for top in ("data", "models", "metrics")
        for path in (folder / top).rglob("*")
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pruning.tarrget": 0.6}, ["pruning.tarrget", "unknown key", "target"]),
        ({"prunning": {"target": 0.6}}, ["prunning", "unknown key"]),
        ({"pruning.target": 1.0}, ["pruning.target", "less than 1"]),
        ({"pruning.target": 0}, ["pruning.target", "greater than 0"]),
        ({"pruning.steps": {1: "dense", 2: "step1"}}, ["pruning.steps", "step1"]),
        ({"pruning.steps": {"a": "b", "b": "a"}}, ["steps", "cycle"]),
        ({"pruning.steps": {"a": "dence"}}, ["steps", "dence"]),
    ],
)
def test_params(fresh: Callable[[], Project], values: dict[str, Any], words: list[str]) -> None:
    project = fresh()
    project.set(values)
    refused(project, "schedule", *words)


def test_stray_key_is_found_by_repro_when_all_else_is_up_to_date(project: Project) -> None:
    project.set({"prunning": {"target": 0.6}})
    ran = project.call("dvc", "repro")
    assert ran.code != 0
    assert "error: params.yaml: prunning: unknown key (did you mean pruning?)" in ran.text
    assert "Traceback" not in ran.text


def test_pictures(fresh: Callable[[], Project]) -> None:
    project = fresh()
    own = project.folder / "data/own"
    (own / "broken.png").write_bytes((own / "p0.png").read_bytes()[:60])
    refused(project, "prepare", "broken.png", "cannot be decoded")
    (own / "broken.png").unlink()
    cv2.imwrite(str(own / "tiny.png"), np.zeros((8, 8), np.uint8))
    refused(project, "prepare", "tiny", "too small")
    for path in own.glob("*.png"):
        path.unlink()
    refused(project, "prepare", "data/own", "no picture")


def test_video(fresh: Callable[[], Project]) -> None:
    project = fresh()
    own = project.folder / "data/own"
    project.edit(data__upsampling__source="video")
    refused(project, "prepare", "data/own", "holds no video")
    for name in "abc":
        (own / f"{name}.yuv").write_bytes(bytes(128 * 128 * 3 // 2 * 3))
    refused(project, "prepare", ".yuv", "data.upsampling.video.raw")
    raw = {"frame": [130, 128], "bits": 8, "rate": 25}
    project.edit(data__upsampling__video__raw=raw)
    refused(project, "prepare", ".yuv", "73,728 bytes", "no whole number of frames of 128 x 130")
    project.edit(data__upsampling__video__raw=raw | {"frame": [128, 127]})
    refused(project, "prepare", "data.upsampling.video.raw.frame", "multiple of 2", "127")
    project.edit(data__upsampling__video__raw=raw | {"frame": [128, 128]})
    project.edit(data__upsampling__video__first=3)
    refused(project, "prepare", ".yuv", "no frames from 3 on", "data.upsampling.video.first")
    project.edit(data__upsampling__video__first=0)
    ran = project.call("python", "-m", "stages.prepare")
    assert ran.code == 0, ran.text
    refused(project, "encode", "name one QP")


def test_training(fresh: Callable[[], Project]) -> None:
    project = fresh()
    assert project.call("python", "-m", "stages.prepare").code == 0
    torch.save({"first.weight": torch.zeros(3, 3)}, project.folder / "w.pth")
    project.edit(network__upsampling__weights="w.pth")
    refused(project, "graph", "w.pth", "missing: first.bias", "wrong shape: first.weight")
    project.edit(network__upsampling__weights="none.safetensors")
    refused(project, "graph", "none.safetensors", "missing")
    project.edit(network__upsampling__weights=None)
    assert project.call("python", "-m", "stages.graph").code == 0
    project.edit(finetune__upsampling={"epochs": 1, "iterations": 9, "learning_rate": 1e30})
    refused(project, "finetune", "finetune: the loss became", "learning rate")
