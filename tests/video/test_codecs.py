"""HEVC and VVC at constant QPs, sequences made of pictures, and filters behind them."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest

from stages.codecs import streams
from stages.codecs.streams import encode_all, whole_stream
from stages.codecs.vmaf import vmaf
from stages.datasets.pictures import on_grid
from stages.datasets.upsampling.samples import CLEAN, Picture
from stages.errors import UserError
from stages.settings import Coded
from stages.settings.codec import Codec, Mode, Presets
from stages.sources.upsampling.motion import pan_and_zoom
from stages.sources.upsampling.stills import coded_stills
from stages.video import encoders
from stages.video.encoders import CODECS, encode, encoder_options, frames_of, rate_kbps
from stages.video.ffmpeg import executable, run
from stages.video.frames import as_fractions
from stages.video.recoding import recoded, write_for
from stages.video.sequences import (
    VideoSequence,
    read_sequences,
    write_sequences,
)
from tests.video.scenes import form, moving, same, saved

MODES = get_args(Mode)
PRESETS = {"hevc": "veryfast", "vvc": "faster"}
COUNT = 9


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("codec", CODECS)
def test_rate_and_quality_fall_as_qp_grows(tmp_path: Path, codec: str, mode: str) -> None:
    like = form(96, 80)
    frames = moving(COUNT, like)
    source = tmp_path / "source.y4m"
    assert write_for(codec, source, frames, like) == COUNT
    rates, errors = [], []
    for qp in (22, 32, 42):
        stream = tmp_path / f"{qp}{CODECS[codec].suffix}"
        encode(source, stream, codec, mode, qp, PRESETS[codec])
        told, made = frames_of(stream, COUNT)
        assert told.bits == (CODECS[codec].bits or 8)
        rates.append(rate_kbps(stream, COUNT, like.rate))
        pairs = zip(made, frames, strict=True)
        errors.append(np.mean([(as_fractions(a[0], told) - as_fractions(b[0], like)) ** 2
                               for a, b in pairs]))  # fmt: skip
    assert rates == sorted(rates, reverse=True)
    assert errors == sorted(errors)
    assert errors[0] < 1e-3, "frames come in the order of showing"
    assert rates[2] < rates[0] / 2


@pytest.mark.parametrize("codec", CODECS)
def test_encoding_is_the_same_every_time(tmp_path: Path, codec: str) -> None:
    like = form(96, 80)
    write_for(codec, tmp_path / "source.y4m", moving(5, like), like)
    for name in "ab":
        encode(tmp_path / "source.y4m", tmp_path / name, codec, "random_access", 30, PRESETS[codec])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_low_delay_refers_to_the_past_alone(tmp_path: Path) -> None:
    """What follows does not change a frame; in random access it does."""
    like = form(96, 80)
    frames = moving(COUNT, like)
    other = [*frames[:-1], moving(1, like, seed=5)[0]]
    changed = {}
    for codec in CODECS:
        for mode in MODES:
            found = []
            for number, given in enumerate((frames, other)):
                source = tmp_path / f"{number}.y4m"
                write_for(codec, source, given, like)
                stream = tmp_path / f"it{CODECS[codec].suffix}"
                encode(source, stream, codec, mode, 27, PRESETS[codec])
                found.append(frames_of(stream, COUNT)[1][:-1])
            changed[codec, mode] = not same(*found)
    assert changed == {(codec, mode): mode == "random_access" for codec, mode in changed}


def test_options_name_qp_and_preset() -> None:
    hevc = encoder_options("hevc", "low_delay", 27, "slow", Fraction(25))
    assert "slow" in hevc
    assert "qp=27" in hevc[-1]
    assert "bframes=0" in hevc[-1]
    vvc = encoder_options("vvc", "random_access", 37, "fast", Fraction(25))
    assert {"fast", "37"} <= set(vvc)


@pytest.mark.parametrize(
    ("mode", "rate", "expected"), [("low_delay", 5, 1), ("random_access", 5, 3),
                                   ("random_access", 25, 2)]
)  # fmt: skip
@pytest.mark.parametrize("codec", CODECS)
def test_intra_pictures_come_about_every_second(
    tmp_path: Path, codec: str, mode: str, rate: int, expected: int
) -> None:
    """With the groups of pictures that both codecs share: every 16 at 5 a second, 32 at 25."""
    like = form(64, 64, rate=rate)
    write_for(codec, tmp_path / "source.y4m", moving(40, like), like)
    stream = tmp_path / f"it{CODECS[codec].suffix}"
    encode(tmp_path / "source.y4m", stream, codec, mode, 37, PRESETS[codec])
    run(["-i", str(stream), "-c", "copy", "-f", "framecrc", str(tmp_path / "packets")], "reading")
    packets = [
        line for line in (tmp_path / "packets").read_text().splitlines() if line.startswith("0,")
    ]
    assert len(packets) == 40
    assert sum("F=0x0" not in line for line in packets) == expected


def test_a_missing_encoder_is_named(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "encoders", lambda: frozenset({"libx265"}))
    with refused("libvvenc", "imageio-ffmpeg", "take vvc out"):
        encode(tmp_path / "a.y4m", tmp_path / "b.vvc", "vvc", "low_delay", 22, "faster")
    monkeypatch.setattr(streams, "encode", lambda *_: pytest.fail("told before anything is done"))
    with refused("libvvenc"):
        encode_all([walk(tmp_path)], asked(("hevc", "vvc")), 22, tmp_path)


def test_after_a_failure_the_rest_is_not_begun(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def fail(source: Path, *_: Any) -> None:
        begun.append(source)
        raise UserError("disk full")

    monkeypatch.setattr(streams, "encode", fail)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    many = [walk(tmp_path, f"walk{n}") for n in range(30)]
    with refused("disk full"):
        encode_all(many, asked(("hevc",)), 22, tmp_path)
    assert not (tmp_path / "bytes.json").exists()


def test_an_ffmpeg_that_is_not_there_is_named(
    refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/none/ffmpeg")
    with refused("/none/ffmpeg", "IMAGEIO_FFMPEG_EXE"):
        executable.__wrapped__()


@pytest.mark.parametrize("cut", [1, 20, 150])
@pytest.mark.parametrize("codec", CODECS)
def test_a_stream_that_lost_its_end_is_refused(
    tmp_path: Path, refused: Any, codec: str, cut: int
) -> None:
    """ffmpeg makes up what is missing of a last frame, without a word."""
    assert encode_all([walk(tmp_path)], asked((codec,)), 22, tmp_path) == 1
    stream = whole_stream(tmp_path, "walk", codec, "low_delay")
    stream.write_bytes(stream.read_bytes()[:-cut])
    with refused(stream, "dvc repro"):
        whole_stream(tmp_path, "walk", codec, "low_delay")
    stream.unlink()
    with refused(stream, "0 bytes"):
        whole_stream(tmp_path, "walk", codec, "low_delay")


def walk(folder: Path, name: str = "walk") -> VideoSequence:
    like = form(96, 80)
    (folder / name).mkdir()
    saved(folder / name / "low.y4m", like, moving(2, like))
    return VideoSequence(name, folder / name, like, 2)


def asked(names: tuple[str, ...]) -> Codec:
    presets = Presets(hevc="ultrafast", vvc="faster")
    return Codec(codecs=names, modes=("low_delay",), qps=(1, 2, 3, 4), presets=presets, vmaf=False)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_a_truncated_stream_is_refused(
    tmp_path: Path, refused: Any, codec: str, share: float
) -> None:
    like, stream = form(96, 80), tmp_path / f"it{CODECS[codec].suffix}"
    write_for(codec, tmp_path / "source.y4m", moving(COUNT, like), like)
    encode(tmp_path / "source.y4m", stream, codec, "low_delay", 22, PRESETS[codec])
    content = stream.read_bytes()
    stream.write_bytes(content[: int(share * len(content))])
    with refused(stream):
        frames_of(stream, COUNT)


def test_a_pan_and_zoom_is_slow_and_keeps_inside() -> None:
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (32, 40, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    like, frames = pan_and_zoom(picture, 7, 2)
    made = [frame[0].astype(float) for frame in frames]
    assert len(made) == 7
    assert like.width % 4 == like.height % 4 == 0
    assert like.width <= 320 / 1.2
    assert made[0].shape == (like.height, like.width)
    assert min(m.min() for m in made) >= 16, "BT.601 luma, no black border"
    steps = [abs(a - b).mean() for a, b in pairwise(made)]
    assert 0 < max(steps) < abs(made[0] - made[-1]).mean()
    smallest = np.zeros((128, 128, 3), np.uint8)
    assert (pan_and_zoom(smallest, 2, 2)[0].width, len(list(pan_and_zoom(smallest, 2, 2)[1]))) == (
        128,
        2,
    )


@pytest.mark.parametrize("bits", [8, 16])
def test_stills_are_coded_at_every_qp(bits: int) -> None:
    high = on_grid(as_fractions(moving(1, form(160, 128))[0][0], form()), bits)
    low = on_grid(high[::2, ::2], bits)
    pair = Picture("it", high, bits, low)
    versions = list(coded_stills([pair], Coded(codec="hevc", qps=(22, 37), clean=True)))
    assert [v.coding for v in versions] == [CLEAN, "hevc_qp22", "hevc_qp37"]
    errors = [float(np.mean((v.low - low) ** 2)) for v in versions]
    assert errors[0] == 0 < errors[1] < errors[2] < 1e-2
    assert all(v.high is high and v.bits == bits for v in versions)
    alone = list(coded_stills([pair], Coded(codec="hevc", qps=(22,), clean=False)))
    assert [v.coding for v in alone] == ["hevc_qp22"]


def test_recoding_keeps_the_order_of_qps() -> None:
    like = form(96, 80)
    frames = moving(2, like)
    errors = [
        np.mean((made[1][0].astype(float) - frames[1][0]) ** 2)
        for _, made in recoded(frames, like, "hevc", (42, 22, 32))
    ]
    assert errors[1] < errors[2] < errors[0]


def test_vmaf_knows_the_original(tmp_path: Path) -> None:
    like = form(160, 144)
    frames = moving(3, like)
    original = saved(tmp_path / "original.y4m", like, frames)
    blurred = [(cv2.GaussianBlur(luma, (0, 0), 3), u, v) for luma, u, v in frames]
    worse = saved(tmp_path / "worse.y4m", like, blurred)
    assert vmaf(original, original) > 95
    assert vmaf(worse, original) < vmaf(original, original) - 20


def test_sequences_come_back(tmp_path: Path, refused: Any) -> None:
    like = form(132, 128, 10, 50)
    frames = moving(3, like)
    assert write_sequences(tmp_path, [("walk", like, iter(frames))], 2, "bicubic") == ["walk"]
    (sequence,) = read_sequences(tmp_path)
    assert (sequence.name, sequence.form, sequence.frames) == ("walk", like, 3)
    assert same(sequence.original(), frames)
    assert sequence.low()[0][0].shape == (64, 66)
    with refused("walk", "rename"):
        write_sequences(tmp_path / "again", [("walk", like, frames)] * 2, 2, "bicubic")
