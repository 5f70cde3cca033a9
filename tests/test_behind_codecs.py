"""Filters behind codecs: what is measured is what was decoded, enlarged and compared."""

import sys
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages import artifacts, encode
from stages.codecs.bench import Bench
from stages.codecs.streams import stream_path
from stages.datasets.pictures import read_luma, resize
from stages.measuring.rate_distortion import deltas
from stages.settings import load_settings
from stages.sources.source import source_of
from stages.video.encoders import frames_of
from stages.video.frames import as_fractions, as_samples
from stages.video.sequences import read_sequences

QPS = (22, 27, 32, 37)


class Bicubic(nn.Module):
    """The anchor, as a network."""

    def forward(self, x: Tensor) -> Tensor:
        sides = [2 * side for side in x.shape[2:]]
        planes = [resize(p.numpy(), sides[0], sides[1], "bicubic") for p in x[:, 0]]
        return torch.from_numpy(np.stack(planes))[:, None]


class Dark(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0 * x.repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.fixture
def scene(
    tree: dict[str, Any],
    write_params: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Bench:
    """Test sequences of two pictures, encoded; the current folder holds them."""
    rng = np.random.default_rng(0)
    for part in ("train", "validation", "test"):
        (tmp_path / "own" / part).mkdir(parents=True)
        for name in ("one", "two") if part == "test" else ("other",):
            picture = cv2.GaussianBlur(rng.random((160, 180, 3)), (0, 0), 1.2)
            picture = cv2.normalize(picture, None, 20, 230, cv2.NORM_MINMAX).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "own" / part / f"{name}.png"), picture)
    tree["data"]["folder"] = str(tmp_path / "own")
    tree["codec"] |= {"codecs": ["hevc", "vvc"], "modes": ["random_access"], "vmaf": True}
    write_params(tree)
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    source = source_of(settings)
    artifacts.SEQUENCES.mkdir(parents=True)
    assert source.write_sequences(artifacts.SEQUENCES) == ["one", "two"]
    for qp in QPS:
        monkeypatch.setattr(sys, "argv", ["encode", str(qp)])
        encode.main()
        assert capsys.readouterr().out == f"4 streams at QP {qp}\n"
    return Bench(settings)


def measured(bench: Bench, **networks: nn.Module) -> list[dict[str, Any]]:
    return bench.measure(networks, artifacts.SEQUENCES, artifacts.CODED, Path("crops"))


def test_every_stream_and_filter_has_a_row(scene: Bench) -> None:
    rows = measured(scene, dense=Bicubic(), pruned=Dark())
    names = ("bicubic", "lanczos", "dense", "pruned")
    by_key = {(r["sequence"], r["codec"], r["qp"], r["filter"]): r for r in rows}
    assert list(by_key) == list(product(("one", "two"), ("hevc", "vvc"), QPS, names))
    for (*stream, name), row in by_key.items():
        other = by_key[*stream, "bicubic"]
        assert row["rate_kbps"] == other["rate_kbps"], "filters share their streams"
        if name == "dense":
            assert row["psnr_db"] == pytest.approx(other["psnr_db"], abs=1e-3)
            assert row["vmaf"] == pytest.approx(other["vmaf"], abs=0.1)
        if name == "pruned":
            assert row["psnr_db"] < 15
            assert row["vmaf"] < other["vmaf"]
    told = {(row["sequence"], row["filter"]): row["bd_rate"] for row in deltas(rows)}
    assert told["mean", "dense"] == pytest.approx(0, abs=1e-3)
    assert told["mean", "pruned"] is None


@pytest.mark.parametrize(("codec", "bits"), [("hevc", 8), ("vvc", 10)])
def test_psnr_is_the_mean_over_frames_of_what_was_decoded(
    scene: Bench, codec: str, bits: int
) -> None:
    """By the peak of 8 bits, in the bits that the decoder gives."""
    row = next(r for r in measured(scene, dense=Bicubic()) if r["codec"] == codec)
    sequence = read_sequences(artifacts.SEQUENCES)[0]
    path = stream_path(artifacts.coded_path(22), "one", codec, "random_access")
    form, frames = frames_of(path, sequence.frames)
    assert form.bits == bits
    more, values = 2 ** (bits - 8), []
    for (low, _, _), (high, _, _) in zip(frames, sequence.original(), strict=True):
        made = as_samples(resize(as_fractions(low, form), *high.shape, "bicubic"), form)
        error = np.mean((made.astype(float) - more * high.astype(float)) ** 2)
        values.append(10 * np.log10((more * 255) ** 2 / error))
    assert (row["mode"], row["qp"], row["filter"]) == ("random_access", 22, "bicubic")
    assert row["psnr_db"] == pytest.approx(np.mean(values), abs=1e-4)
    seconds = sequence.frames / float(sequence.form.rate)
    assert row["rate_kbps"] == pytest.approx(8 * path.stat().st_size / seconds / 1000)


def test_vmaf_and_psnr_agree_between_codecs(scene: Bench) -> None:
    """Eight bits made ten change neither."""
    found = {(r["codec"], r["filter"]): r for r in measured(scene, dense=Bicubic())
             if r["qp"] == 22 and r["sequence"] == "one"}  # fmt: skip
    for name in ("bicubic", "lanczos", "dense"):
        assert found["vvc", name]["psnr_db"] == pytest.approx(found["hevc", name]["psnr_db"], abs=2)
        assert found["vvc", name]["vmaf"] == pytest.approx(found["hevc", name]["vmaf"], abs=10)


def test_a_detail_of_each_sequence_is_shown(scene: Bench) -> None:
    measured(scene, dense=Bicubic(), pruned=Dark())
    for name in ("one", "two"):
        files = {path.stem: read_luma(path)[0] for path in Path("crops", name).iterdir()}
        assert set(files) == {"bicubic", "lanczos", "dense", "pruned", "original"}
        assert np.array_equal(files["bicubic"], files["dense"])
        assert files["pruned"].max() == 0
        assert 0 < abs(files["original"] - files["bicubic"]).mean() < 0.2


@pytest.mark.usefixtures("scene")
def test_small_pictures_give_no_sequence(tmp_path: Path) -> None:
    for path in (tmp_path / "own/test").iterdir():
        cv2.imwrite(str(path), np.zeros((127, 200), np.uint8))
    (tmp_path / "none").mkdir()
    source = source_of(load_settings())
    assert source.write_sequences(tmp_path / "none") == []
