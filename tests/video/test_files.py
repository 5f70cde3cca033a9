"""Uncompressed files, what ffmpeg reads, and what a person reads when one is wrong."""

import io
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.datasets.upsampling.samples import CLEAN
from stages.settings import Settings
from stages.settings.data import RawVideo, Video
from stages.sources.upsampling.videos import opened, video_files, video_pairs
from stages.video import decoding
from stages.video.decoding import decoded
from stages.video.ffmpeg import run
from stages.video.frames import as_fractions, as_samples, from_bytes, in_bits, to_bytes
from stages.video.resizing import cut_to, resized_format, shrunk, whole_multiples
from stages.video.y4m import read_raw, read_y4m, write_y4m
from tests.video.scenes import form, moving, same, saved

ALL = Video(first=0, count=None, stride=1, raw=None)


@pytest.mark.parametrize("bits", [8, 10])
def test_frames_come_back_from_bytes_files_and_fractions(tmp_path: Path, bits: int) -> None:
    like, stream = form(48, 32, bits, 50), io.BytesIO()
    frames = moving(3, like)
    assert max(int(f[0].max()) for f in frames) > 200 << (bits - 8)
    assert all(same([from_bytes(to_bytes(f, like), like)], [f]) for f in frames)
    assert write_y4m(stream, like, frames) == 3
    stream.seek(0)
    told, read = read_y4m(stream, "it")
    assert told == like
    assert same(list(read), frames)
    (tmp_path / "raw.yuv").write_bytes(b"".join(to_bytes(f, like) for f in frames))
    assert same(list(read_raw(tmp_path / "raw.yuv", like)), frames)
    plane = frames[0][0]
    assert np.array_equal(as_samples(as_fractions(plane, like), like), plane)
    assert as_fractions(np.uint16([[like.peak]]), like) == 1
    levels = np.arange(2**bits, dtype=np.uint16)[None]
    assert np.array_equal(as_samples(as_fractions(levels, like), like), levels)


def test_more_bits_are_the_same_fractions() -> None:
    small, deep = form(), form(bits=10)
    frame = moving(1, small)[0]
    wide = in_bits(frame, small, deep)
    assert np.array_equal(as_fractions(wide[0], deep), as_fractions(frame[0], small))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".y4m", ".hevc"])
@pytest.mark.parametrize("bits", [8, 10])
def test_what_ffmpeg_reads_keeps_bits_count_and_rate(
    tmp_path: Path, suffix: str, bits: int
) -> None:
    like = form(64, 48, bits, 30)
    frames = moving(4, like)
    source = saved(tmp_path / "source.y4m", like, frames)
    lossless = ["-c:v", "libx265", "-x265-params", "lossless=1:log-level=error"]
    path = tmp_path / f"coded{suffix}"
    run(["-i", str(source), *(["-strict", "-1"] if suffix == ".y4m" else lossless), str(path)], "")
    with decoded(path) as (told, read):
        assert (told.width, told.height, told.bits) == (64, 48, bits)
        assert suffix == ".hevc" or told.rate == 30
        assert same(list(read), frames)


def test_reading_may_stop_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, started = tmp_path / "long.mkv", []
    run(["-f", "lavfi", "-i", "testsrc2=size=320x240:duration=20", "-c:v", "ffv1", str(path)], "")

    class Noted(subprocess.Popen):
        def __init__(self, *arguments: Any, **options: Any):
            started.append(self)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(decoding.subprocess, "Popen", Noted)
    with decoded(path) as (_, frames):
        next(frames)
        decoder = started[-1]
        assert decoder.poll() is None
    assert decoder.poll() == -signal.SIGKILL
    assert decoder.stdout.closed


@pytest.mark.parametrize("lost", [1, 6_143, 6_144, 6_147, 6_149])
def test_a_y4m_that_lost_part_of_its_last_frame_is_refused(
    tmp_path: Path, refused: Any, lost: int
) -> None:
    like = form()
    path = saved(tmp_path / "walk.y4m", like, moving(3, like))
    path.write_bytes(path.read_bytes()[:-lost])
    with refused(path, "ends inside a frame"), decoded(path) as (_, frames):
        list(frames)


@pytest.mark.parametrize(
    ("kind", "bits"), [("yuv444p", 8), ("yuv422p10le", 10), ("rgb48le", 10), ("gray", 8)]
)
def test_colours_of_another_kind_become_4_2_0(tmp_path: Path, kind: str, bits: int) -> None:
    run(["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=1", "-pix_fmt", kind,
         "-c:v", "ffv1", str(tmp_path / "other.mkv")], "")  # fmt: skip
    with decoded(tmp_path / "other.mkv") as (told, frames):
        assert [plane.shape for plane in next(frames)] == [(48, 64), (24, 32), (24, 32)]
        assert told.bits == bits


def cut_short(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


@pytest.mark.parametrize(
    ("suffix", "share"), [(".y4m", 0.9), (".mkv", 0.6), (".mp4", 0.6), (".mp4", 0.02)]
)
def test_a_truncated_file_is_refused(
    tmp_path: Path, refused: Any, suffix: str, share: float
) -> None:
    like = form()
    source = saved(tmp_path / "source.y4m", like, moving(12, like))
    codec = {".mkv": ["-c:v", "ffv1"], ".mp4": ["-c:v", "libx264", "-qp", "10"]}.get(suffix, [])
    path = tmp_path / f"short{suffix}"
    run(["-i", str(source), *codec, str(path)], "making it")
    with decoded(path) as (_, frames):
        assert len(list(frames)) == 12
    cut_short(path, share)
    with refused(path, "video"), decoded(path) as (_, frames):
        list(frames)


def test_files_that_are_no_video_are_refused(tmp_path: Path, refused: Any) -> None:
    with refused("none.mp4", "does not exist"), decoded(tmp_path / "none.mp4"):
        pass
    (tmp_path / "text.mp4").write_text("no video")
    with refused("text.mp4 cannot be read: it is text"), decoded(tmp_path / "text.mp4"):
        pass
    with refused("it", "no frames that can be read"):
        read_y4m(io.BytesIO(b"RIFF"), "it")
    with refused("it", "422"):
        read_y4m(io.BytesIO(b"YUV4MPEG2 W8 H8 F25:1 C422\n"), "it")
    with refused("it", "damaged"):
        read_y4m(io.BytesIO(b"YUV4MPEG2 W8 F25:1 C420\n"), "it")
    with refused("it", "damaged"):
        read_y4m(io.BytesIO(b"YUV4MPEG2 W8 H8 F0:0 C420\n"), "it")
    with refused("63 x 48", "even"):
        form(63, 48)
    with refused("it", "8 x 7", "even"):
        read_y4m(io.BytesIO(b"YUV4MPEG2 W8 H7 F25:1 C420\n"), "it")


def test_raw_files_that_do_not_fit_their_format_are_refused(tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "raw.yuv"
    path.write_bytes(bytes(64 * 64 * 3 // 2 * 3 + 1))
    with refused(path, "18,433 bytes", "64 x 64 in 8 bits", "6,144"):
        next(read_raw(path, form()))
    path.write_bytes(b"")
    with refused(path, "0 bytes"):
        next(read_raw(path, form()))
    with refused(path, "data.upsampling.video.raw"), opened(path, ALL):
        pass


@pytest.mark.parametrize("kind", ["y4m", "yuv"])
def test_a_range_of_frames_is_read(tmp_path: Path, refused: Any, kind: str) -> None:
    like = form(64, 48)
    frames = moving(9, like)
    raw = RawVideo(frame=(48, 64), bits=8, rate=25)
    path = saved(tmp_path / f"it.{kind}", like, frames)
    if kind == "yuv":
        path.write_bytes(b"".join(to_bytes(f, like) for f in frames))
    with opened(path, Video(first=2, count=4, stride=1, raw=raw)) as (told, read):
        assert told == like
        assert same(list(read), frames[2:6])
    with (
        refused(path, "no frames from 9 on", "data.upsampling.video.first"),
        opened(path, Video(first=9, count=None, stride=1, raw=raw)) as (_, read),
    ):
        list(read)


def test_sides_are_cut_so_that_halves_are_even(refused: Any) -> None:
    like = form(150, 134)
    whole = whole_multiples(like, 2, "it")
    assert (whole.width, whole.height) == (148, 132)
    assert [p.shape for p in cut_to(moving(1, like)[0], whole)] == [(132, 148), (66, 74), (66, 74)]
    with refused("it", "126 x 200", "128 pixels"):
        whole_multiples(form(126, 200), 2, "it")


def test_shrinking_keeps_flat_frames_and_bits() -> None:
    like = form(64, 48, 10)
    flat = tuple(np.full_like(plane, 700) for plane in moving(1, like)[0])
    small = next(shrunk([flat], like, 2, "lanczos"))
    assert [plane.shape for plane in small] == [(24, 32), (12, 16), (12, 16)]
    assert all((plane == 700).all() for plane in small)
    assert resized_format(like, 1, 2) == form(32, 24, 10)


@pytest.fixture
def video_data(settings: Settings) -> Any:
    """A function that gives the settings of a video source."""
    data = settings.data.upsampling

    def make(stride: int = 3, **coded: Any) -> Any:
        video = Video(first=1, count=None, stride=stride, raw=None)
        changed = data.coded.model_copy(update=coded)
        return data.model_copy(update={"video": video, "coded": changed})

    return make


def test_frames_of_a_video_become_pairs(tmp_path: Path, video_data: Any) -> None:
    like = form(130, 132)
    frames = moving(8, like)
    path = saved(tmp_path / "walk.y4m", like, frames)
    pairs = list(video_pairs(path, video_data(qps=(22, 42))))
    assert [p.name for p in pairs[:3]] == ["walk_00001", "walk_00004", "walk_00007"]
    codings = [CLEAN, "hevc_qp22", "hevc_qp42"]
    assert [p.coding for p in pairs] == [coding for coding in codings for _ in range(3)]
    for pair, place in zip(pairs[:3], (1, 4, 7), strict=True):
        assert np.array_equal(pair.high, as_fractions(frames[place][0], like)[:132, :128])
        assert pair.low.shape == (66, 64)
    errors = [np.mean([(pairs[3 * n + k].low - pairs[k].low) ** 2 for k in range(3)])
              for n in range(3)]  # fmt: skip
    assert errors[0] == 0 < errors[1] < errors[2]
    assert all(pairs[3 * n].high is pairs[0].high for n in range(3)), "targets are shared"


def test_vvc_gives_ten_bits(tmp_path: Path, video_data: Any) -> None:
    like = form(128, 128)
    path = saved(tmp_path / "walk.y4m", like, moving(3, like))
    clean, coded = video_pairs(path, video_data(codec="vvc", qps=(22,), stride=9))
    assert (clean.bits, coded.bits) == (8, 10)
    levels = coded.low * 1020
    assert np.allclose(levels, np.rint(levels), atol=1e-3)
    assert (np.rint(levels) % 4 != 0).any(), "two more bits are in use"
    assert np.mean((clean.low - coded.low) ** 2) < 1e-4


def test_videos_are_split_by_file(tmp_path: Path, refused: Any) -> None:
    like = form()
    for name in "abcd":
        saved(tmp_path / f"{name}.y4m", like, moving(1, like))
    (tmp_path / "notes.txt").write_text("no video")
    parts = video_files(tmp_path, 0.25, 0.25, 1)
    assert [len(parts[part]) for part in ("train", "validation", "test")] == [2, 1, 1]
    assert {path.name for paths in parts.values() for path in paths} == {
        f"{name}.y4m" for name in "abcd"
    }
    for part in ("train", "validation", "test"):
        (tmp_path / "given" / part).mkdir(parents=True)
    saved(tmp_path / "given/train/a.y4m", like, moving(1, like))
    with refused("validation", "no video"):
        video_files(tmp_path / "given", 0.25, 0.25, 1)
    with refused("too few videos (1)"):
        video_files(tmp_path / "given/train", 0.25, 0.25, 1)
