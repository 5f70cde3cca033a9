"""`python -m stages.upsample`: what it writes."""

import re
import subprocess
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages import artifacts
from stages.video.decoding import decoded
from stages.video.ffmpeg import executable, run
from stages.video.frames import Format, Frame, to_bytes
from tests.upscaling.conftest import SaveModel, Upsample, a_format, some_frames, write_source

RATE = "30000/1001"


def read_back(path: Path, form: Format) -> tuple[Format, list[Frame]]:
    with decoded(path, form if path.suffix == ".yuv" else None) as (found, given):
        return found, list(given)


def told_by_ffmpeg(path: Path) -> str:
    done = subprocess.run(
        [executable(), "-hide_banner", "-v", "verbose", "-i", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("suffix", [".y4m", ".yuv", ".mkv"])
def test_videos_without_loss(suffix: str, bits: int, tmp_path: Path, command: Upsample) -> None:
    source, target = tmp_path / "in.y4m", tmp_path / f"out{suffix}"
    frames = write_source(source, bits)
    said = command(source, target, "--tile", 32, "--batch", 2)
    wanted = Format(108, 76, bits, Fraction(RATE))
    form, made = read_back(target, wanted)
    assert form == wanted
    assert len(made) == len(frames)
    for (luma, *_), (larger, *_) in zip(frames, made, strict=True):
        assert np.array_equal(larger, luma.repeat(2, 0).repeat(2, 1))
    if bits == 10:
        assert all(len(np.unique(plane % 4)) == 4 for plane in made[0])
    written = said.splitlines()[-1]
    assert re.fullmatch(rf".*out\{suffix}: 5 frames of 108 x 76, {bits} bits, \S+ s each", written)


@pytest.mark.parametrize("bits", [8, 10])
def test_hevc_is_close(bits: int, tmp_path: Path, command: Upsample) -> None:
    source, target = tmp_path / "in.y4m", tmp_path / "out.mp4"
    frames = write_source(source, bits)
    command(source, target)
    form, made = read_back(target, a_format(bits))
    assert form == Format(108, 76, bits, Fraction(RATE))
    assert len(made) == len(frames)
    errors = [
        np.abs(large.astype(float) - small.repeat(2, 0).repeat(2, 1)).mean() / form.peak
        for (small, *_), (large, *_) in zip(frames, made, strict=True)
    ]
    assert max(errors) < 0.01
    assert "hevc" in told_by_ffmpeg(target)


def test_raw_video(tmp_path: Path, command: Upsample) -> None:
    frames, form = some_frames(10), a_format(10)
    source, target = tmp_path / "in.yuv", tmp_path / "out.mkv"
    source.write_bytes(b"".join(to_bytes(frame, form) for frame in frames))
    command(source, target, "--size", "54x38", "--bits", 10, "--rate", RATE)
    found, made = read_back(target, form)
    assert found == Format(108, 76, 10, Fraction(RATE))
    assert np.array_equal(made[4][0], frames[4][0].repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_is_copied(suffix: str, tmp_path: Path, command: Upsample) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    run(
        ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.4", "-f", "lavfi", "-i",
         "sine=duration=0.4", "-pix_fmt", "yuv420p", "-c:v", "mpeg4", "-c:a", "aac", str(source)],
        "making a video with sound",
    )  # fmt: skip
    command(source, target)
    assert sound_of(target, tmp_path) == sound_of(source, tmp_path)
    form, made = read_back(target, a_format(8))
    assert (form.rate, len(made)) == (25, 10)


def sound_of(path: Path, folder: Path) -> bytes:
    copied = folder / "sound.aac"
    run(["-i", str(path), "-map", "0:a", "-c", "copy", str(copied)], "copying sound")
    return copied.read_bytes()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_what_samples_mean_is_kept(suffix: str, tmp_path: Path, command: Upsample) -> None:
    source, target = tmp_path / "in.avi", tmp_path / f"out{suffix}"
    run(
        ["-f", "lavfi", "-i", "color=white:size=64x48:rate=25:duration=0.2,setsar=16/15",
         "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "1", str(source)],
        "making a video of full range",
    )  # fmt: skip
    command(source, target)
    told = told_by_ffmpeg(target)
    assert re.search(r"yuvj?420p\(pc, bt470bg/unknown/unknown, .*SAR 16:15", told)
    _, made = read_back(target, a_format(8))
    assert made[0][0].max() > 250, "samples were not squeezed into a smaller range"


def test_grey_of_full_range_stays_white(tmp_path: Path, command: Upsample) -> None:
    """It is read as luma of small range, so the range of the source no longer holds."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    run(["-f", "lavfi", "-i", "color=white:size=64x48:rate=25:duration=0.1,format=gray",
         "-c:v", "ffv1", "-color_range", "pc", str(source)], "making grey video")  # fmt: skip
    command(source, target)
    run(["-i", str(target), "-pix_fmt", "gray", "-color_range", "pc", "-frames:v", "1",
         "-f", "rawvideo", str(tmp_path / "grey")], "reading it")  # fmt: skip
    assert min((tmp_path / "grey").read_bytes()) == 255


def test_the_shape_of_pixels_is_kept_where_nothing_else_is_told(
    tmp_path: Path, command: Upsample
) -> None:
    source, target = tmp_path / "in.avi", tmp_path / "out.mkv"
    run(["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.1,setsar=16/15",
         "-pix_fmt", "yuv420p", "-c:v", "rawvideo", str(source)], "making it")  # fmt: skip
    command(source, target)
    assert "SAR 16:15" in told_by_ffmpeg(target)


def test_names_with_a_colon(
    tmp_path: Path, command: Upsample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.1", "-c:v", "libx264",
         str(tmp_path / "a:1.mp4")], "making it")  # fmt: skip
    assert "3 frames" in command("a:1.mp4", "b:2.mkv")


@pytest.mark.parametrize("suffix", [".yuv", ".mkv"])
def test_ten_bits_are_kept_to_the_last_level(
    suffix: str, tmp_path: Path, command: Upsample
) -> None:
    """White of full range is 1023, above four times 255."""
    form, source = a_format(10), tmp_path / "in.yuv"
    frame = tuple(np.full_like(plane, 1023) for plane in some_frames(10)[0])
    source.write_bytes(to_bytes(frame, form))
    command(source, tmp_path / f"out{suffix}", "--size", "54x38", "--bits", 10, "--rate", RATE)
    _, made = read_back(tmp_path / f"out{suffix}", Format(108, 76, 10, Fraction(RATE)))
    assert all((plane == 1023).all() for plane in made[0])


@pytest.mark.parametrize(
    ("stages", "removed", "words"),
    [
        (("finetune",), {}, "dense, no channels were removed"),
        (("finetune", "sparsify a", "prune a", "recover a"), {"tail": "0:1:1"}, "as a left it"),
        (("finetune", "prune a", "recover a", "prune b"), {"tail": "0:1:1"}, "as b left it"),
        (("control scratch",), {"tail": "0:1:1"}, "pruned, as control scratch left it"),
        (("finetune", "tradeoff"), {}, "sparse, no channels were removed"),
    ],
)
def test_the_model_in_use_is_told(
    stages: list[str],
    removed: dict[str, str],
    words: str,
    tmp_path: Path,
    command: Upsample,
    repeating: Path,
) -> None:
    about = artifacts.read_json(repeating / artifacts.NETWORK)
    about |= {"stages": stages, "removed": removed}
    artifacts.write_json(repeating / artifacts.NETWORK, about)
    write_source(tmp_path / "in.y4m")
    first = command(tmp_path / "in.y4m", tmp_path / "out.y4m").splitlines()[0]
    assert first.startswith(f"model {repeating}: ")
    assert words in first


def test_pictures(tmp_path: Path, command: Upsample, picture_folder: Path) -> None:
    said = command(picture_folder, tmp_path / "out", "--tile", 16)
    names = sorted(path.name for path in picture_folder.iterdir())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    for name in names:
        given = cv2.imread(str(picture_folder / name), cv2.IMREAD_UNCHANGED)
        made = cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_UNCHANGED)
        assert made.shape == given.repeat(2, 0).repeat(2, 1).shape
    assert "5 pictures, 2 times larger each way" in said


def test_a_real_network_in_tiles(tmp_path: Path, command: Upsample, save_model: SaveModel) -> None:
    source, target = tmp_path / "in.y4m", tmp_path / "out.y4m"
    write_source(source)
    model = save_model("drln", width=4, modules=1, scale=3)
    command(source, target, "--tile", 16, model=model)
    command(source, tmp_path / "whole.y4m", "--tile", 0, model=model)
    form, tiled = read_back(target, a_format(8))
    _, whole = read_back(tmp_path / "whole.y4m", form)
    assert (form.width, form.height) == (162, 114)
    for made, wanted in zip(tiled, whole, strict=True):
        assert np.abs(made[0].astype(int) - wanted[0]).max() <= 1
