"""The up-sampling task's rows, table and figure: clean and coded versions are told apart."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from stages import artifacts
from stages.datasets.upsampling.reading import read_pairs
from stages.networks.build import build_network
from stages.settings import Settings
from stages.tasks.upsampling.quality import psnr_db
from stages.tasks.upsampling.task import Upsampling


@pytest.fixture
def task(prepared: Path, settings: Settings) -> Upsampling:
    return Upsampling(settings)


def rows_of(task: Upsampling) -> list[dict[str, Any]]:
    networks = {n: build_network("espcn", {"width": 4, "scale": 2}) for n in ("dense", "pruned")}
    return task.test(networks)


def test_every_version_of_a_test_picture_has_rows(task: Upsampling) -> None:
    rows = rows_of(task)
    assert [(r["model"], r["coding"]) for r in rows] == [
        (model, coding)
        for coding in ("clean", "hevc_qp37")
        for model in ("bicubic", "dense", "pruned")
    ]
    pairs = read_pairs(artifacts.PREPARED, "test")
    for pair, row in zip(pairs, rows[::3], strict=True):
        made = task.upsample_baseline(pair)
        assert row["psnr_db"] == psnr_db(made, pair.high, border=2)
    assert rows[0]["psnr_db"] > rows[3]["psnr_db"]


def test_validation_is_the_mean_over_versions(task: Upsampling) -> None:
    pairs = read_pairs(artifacts.PREPARED, "validation")
    assert [pair.coding for pair in pairs] == ["clean", "hevc_qp37"]
    values = [psnr_db(task.upsample_baseline(p), p.high, border=2) for p in pairs]
    assert task.validate_baseline() == pytest.approx(np.mean(values))


def test_the_table_tells_quality_by_coding(task: Upsampling) -> None:
    rows = rows_of(task)
    ((title, (head, table)),) = task.tables(rows).items()
    assert "coding" in title
    assert head == ["model", "clean", "hevc_qp37"]
    assert table[0] == ["bicubic", *(f"{rows[n]['psnr_db']:.3f}" for n in (0, 3))]
    assert task.tables(rows[:3]) == {}


def test_crops_are_of_what_was_not_coded(task: Upsampling, tmp_path: Path) -> None:
    rows = rows_of(task)
    networks = {n: build_network("espcn", {"width": 4, "scale": 2}) for n in ("dense", "pruned")}
    task.show(networks, tmp_path / "crops")
    figure = task.draw(rows, tmp_path / "crops")["crops"].figure
    told = [axes.get_xlabel() for axes in figure.axes]
    assert told[:3] == [f"{row['psnr_db']:.2f} dB" for row in rows[:3]]
    plt.close(figure)


def test_patches_are_chosen_by_their_target(task: Upsampling) -> None:
    samples = task.samples(4, "finetune")
    steps = np.diff(np.concatenate([[0.0], samples.cumulated]))
    shares = [steps[a:b].sum() for a, b in zip(samples.starts, samples.starts[1:], strict=False)]
    codings = [pair.coding for pair in samples.pairs]
    assert codings[:2] == ["clean", "hevc_qp37"]
    assert np.allclose(shares[::2], shares[1::2])
