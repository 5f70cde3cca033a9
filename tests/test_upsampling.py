"""The up-sampling task's rows, table and figure: clean and coded versions are told apart."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from torch import nn

from stages import artifacts
from stages.datasets.upsampling.reading import read_pairs
from stages.figures.task_figures import task_figures_of
from stages.networks.build import build_network
from stages.settings import Settings
from stages.tasks.upsampling.quality import psnr_db
from stages.tasks.upsampling.task import Upsampling
from stages.testing.baseline import baseline_of
from stages.testing.held_out import HeldOut, held_out_of
from stages.testing.upsampling.baseline import Bicubic


@pytest.fixture
def held_out(prepared: Path, settings: Settings) -> HeldOut:
    return held_out_of(settings)


def two_networks() -> dict[str, nn.Module]:
    return {n: build_network("espcn", {"width": 4, "scale": 2}) for n in ("dense", "pruned")}


def test_every_version_of_a_test_picture_has_rows(held_out: HeldOut, settings: Settings) -> None:
    rows = held_out.rows(two_networks())
    assert [(r["model"], r["coding"]) for r in rows] == [
        (model, coding)
        for coding in ("clean", "hevc_qp37")
        for model in ("bicubic", "dense", "pruned")
    ]
    pairs = read_pairs(artifacts.PREPARED, "test")
    for pair, row in zip(pairs, rows[::3], strict=True):
        made = Bicubic(settings).enlarge(pair)
        assert row["psnr_db"] == psnr_db(made, pair.high, border=2)
    assert rows[0]["psnr_db"] > rows[3]["psnr_db"]


def test_validation_is_the_mean_over_versions(prepared: Path, settings: Settings) -> None:
    pairs = read_pairs(prepared, "validation")
    assert [pair.coding for pair in pairs] == ["clean", "hevc_qp37"]
    values = [psnr_db(Bicubic(settings).enlarge(p), p.high, border=2) for p in pairs]
    assert baseline_of(settings).validate() == pytest.approx(np.mean(values))


def test_the_table_tells_quality_by_coding(held_out: HeldOut, settings: Settings) -> None:
    rows, figures = held_out.rows(two_networks()), task_figures_of(settings)
    ((title, (head, table)),) = figures.tables(rows).items()
    assert "coding" in title
    assert head == ["model", "clean", "hevc_qp37"]
    assert table[0] == ["bicubic", *(f"{rows[n]['psnr_db']:.3f}" for n in (0, 3))]
    assert figures.tables(rows[:3]) == {}


def test_crops_are_of_what_was_not_coded(
    held_out: HeldOut, settings: Settings, tmp_path: Path
) -> None:
    rows = held_out.rows(two_networks())
    held_out.show(two_networks(), tmp_path / "crops")
    figure = task_figures_of(settings).drawings(rows, tmp_path / "crops")["crops"].figure
    told = [axes.get_xlabel() for axes in figure.axes]
    assert told[:3] == [f"{row['psnr_db']:.2f} dB" for row in rows[:3]]
    plt.close(figure)


@pytest.mark.usefixtures("prepared")
def test_patches_are_chosen_by_their_target(settings: Settings) -> None:
    samples = Upsampling(settings).samples(4, "finetune")
    steps = np.diff(np.concatenate([[0.0], samples.cumulated]))
    shares = [steps[a:b].sum() for a, b in zip(samples.starts, samples.starts[1:], strict=False)]
    codings = [pair.coding for pair in samples.pairs]
    assert codings[:2] == ["clean", "hevc_qp37"]
    assert np.allclose(shares[::2], shares[1::2])
