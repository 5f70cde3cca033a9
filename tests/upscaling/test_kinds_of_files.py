"""`python -m stages.upsample` on single pictures, `.mov`, and what it does not take."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.video.decoding import decoded
from stages.video.ffmpeg import run
from tests.conftest import Refused
from tests.upscaling.conftest import Upsample, write_source

NOISE = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".tif", ".jpg"])
def test_a_single_picture_becomes_a_png(tmp_path: Path, command: Upsample, suffix: str) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.png"
    cv2.imwrite(str(source), NOISE[:, :, 0])
    said = command(source, target)
    given = cv2.imread(str(source), cv2.IMREAD_UNCHANGED)
    made = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(made, given.repeat(2, 0).repeat(2, 1))
    assert "out.png: 1 picture, 2 times larger each way" in said


def test_a_picture_has_no_other_output(tmp_path: Path, command: Upsample, refused: Refused) -> None:
    source = tmp_path / "in.png"
    cv2.imwrite(str(source), NOISE)
    for name in ("out.mkv", "out", "out.jpg"):
        with refused(name, "name it .png"):
            command(source, tmp_path / name)
    with refused("is the input"):
        command(source, source)
    (tmp_path / "broken.png").write_text("no picture")
    with refused("broken.png"):
        command(tmp_path / "broken.png", tmp_path / "out.png")
    assert not list(tmp_path.glob("*out*"))


def test_quicktime_keeps_sound_and_is_read_again(tmp_path: Path, command: Upsample) -> None:
    source, target = tmp_path / "in.mov", tmp_path / "out.mov"
    run(["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.4", "-f", "lavfi", "-i",
         "sine=duration=0.4", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-c:a", "pcm_s16le",
         str(source)], "making a .mov")  # fmt: skip
    assert "10 frames of 128 x 96, 8 bits" in command(source, target)
    assert b"ftypqt" in target.read_bytes()[:16]
    with decoded(target) as (form, frames):
        assert (form.width, form.height, form.rate, len(list(frames))) == (128, 96, 25, 10)
    run(["-i", str(target), "-map", "0:a", "-c", "copy", str(tmp_path / "sound.wav")], "copying")


def test_what_is_no_video_is_told_in_one_line(
    tmp_path: Path, command: Upsample, refused: Refused
) -> None:
    write_source(tmp_path / "other.y4m")
    run(["-i", str(tmp_path / "other.y4m"), "-c:v", "ffv1", str(tmp_path / "other.mkv")], "making")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile other.mkv\n")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    run(["-f", "lavfi", "-i", "sine=duration=0.2", str(tmp_path / "sound.mp4")], "making sound")
    told = {"list": "list of other files", "text": "text", "empty": "empty", "sound": "sound alone"}
    for name, word in told.items():
        with refused(f"{name}.mp4", word):
            command(tmp_path / f"{name}.mp4", tmp_path / "out.mkv")
    with refused("out.avi", ".mov", ".mp4", ".mkv", ".y4m", ".yuv"):
        command(tmp_path / "other.mkv", tmp_path / "out.avi")
    assert not list(tmp_path.glob("*out*"))
