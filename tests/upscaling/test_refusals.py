"""`python -m stages.upsample`: what it refuses in one line, and that nothing is left of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from stages import groups, upsample
from stages.video.ffmpeg import run
from tests.conftest import Refused, WriteParams
from tests.upscaling.conftest import SaveModel, Upsample, write_source

QUIET = "log-level=error"


def test_refused_paths(tmp_path: Path, command: Upsample, refused: Refused) -> None:
    source, pictures, full = tmp_path / "in.y4m", tmp_path / "pictures", tmp_path / "full"
    write_source(source)
    for folder in (pictures, full):
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
    with refused("none.mp4", "does not exist"):
        command(tmp_path / "none.mp4", tmp_path / "out.mkv")
    with refused("out.avi", ".y4m", ".yuv", ".mkv", ".mp4"):
        command(source, tmp_path / "out.avi")
    with refused("is the input"):
        command(source, tmp_path / "pictures" / ".." / "in.y4m")
    with refused("pictures", "no picture"):
        command(pictures, tmp_path / "out")
    with refused("folder of pictures", "out.mkv"):
        command(pictures, tmp_path / "out.mkv")
    with refused("full", "holds something"):
        command(pictures, full)
    for inside in (pictures / "deep", tmp_path):
        with refused("lies in the input"):
            command(pictures, inside)
    assert (full / "notes.txt").read_text() == "mine"


def test_refused_options(tmp_path: Path, command: Upsample, refused: Refused) -> None:
    source, raw, target = tmp_path / "in.y4m", tmp_path / "in.yuv", tmp_path / "out.mkv"
    write_source(source)
    raw.write_bytes(bytes(1000))
    with refused("in.yuv", "--size", "--bits", "--rate"):
        command(raw, target, "--bits", 8)
    with refused("--size", "leave them out"):
        command(source, target, "--size", "54x38")
    for size, rate in (("54", "25"), ("54x38", "1/0"), ("axb", "25"), ("0x2", "25"), ("2x2", "-1")):
        with refused(size, rate, "1920x1080"):
            command(raw, target, "--size", size, "--bits", 8, f"--rate={rate}")
    with refused("53 x 38", "even"):
        command(raw, target, "--size", "53x38", "--bits", 8, "--rate", 25)
    with refused("in.yuv", "1,000 bytes", "54 x 38"):
        command(raw, target, "--size", "54x38", "--bits", 8, "--rate", 25)
    with refused("--tile -1"):
        command(source, target, "--tile=-1")
    with refused("--batch 0"):
        command(source, target, "--batch", 0)
    assert not target.exists()


def test_refused_models_and_devices(
    tmp_path: Path, command: Upsample, save_model: SaveModel, refused: Refused
) -> None:
    source, target = tmp_path / "in.y4m", tmp_path / "out.mkv"
    write_source(source)
    with refused("absent", "dvc repro"):
        command(source, target, model=tmp_path / "absent")
    if not torch.cuda.is_available():
        with refused("--device cuda", "auto"):
            command(source, target, "--device", "cuda")
    with refused("(1, 1, 8, 8)", "enlarges luma"):
        command(source, target, model=save_model("torch.nn:AvgPool2d", kernel_size=2))
    assert not target.exists()


def test_videos_that_end_early_leave_what_was_there(
    tmp_path: Path, command: Upsample, refused: Refused
) -> None:
    whole, target = tmp_path / "whole.y4m", tmp_path / "out.mkv"
    write_source(whole)
    run(["-i", str(whole), "-c:v", "ffv1", str(tmp_path / "whole.mkv")], "making an mkv")
    target.write_text("what was there")
    for suffix in (".y4m", ".mkv"):
        cut, content = tmp_path / f"cut{suffix}", whole.with_suffix(suffix).read_bytes()
        cut.write_bytes(content[: len(content) * 2 // 3])
        with refused(f"cut{suffix}"):
            command(cut, target)
    head = whole.read_bytes().split(b"\n")[0]
    (tmp_path / "empty.y4m").write_bytes(head + b"\n")
    with refused("no frame"):
        command(tmp_path / "empty.y4m", target)
    assert target.read_text() == "what was there"
    assert not list(tmp_path.glob(".*"))


def test_odd_sides_are_refused(tmp_path: Path, command: Upsample, refused: Refused) -> None:
    odd = tmp_path / "odd.mkv"
    run(
        ["-f", "lavfi", "-i", "color=size=640x480:duration=1,format=yuv444p,crop=605:447:exact=1",
         "-c:v", "ffv1", str(odd)],
        "making an odd video",
    )  # fmt: skip
    with refused("odd.mkv", "605 x 447", "even"):
        command(odd, tmp_path / "out.mkv")


@pytest.mark.parametrize(
    ("name", "options"),
    [("it.webm", ["-c:v", "libvpx-vp9"]), ("it.ts", ["-c:v", "mpeg2video", "-bf", "2"]),
     ("it.mp4", ["-c:v", "libx264"]), ("it.hevc", ["-c:v", "libx265", "-x265-params", QUIET])],
)  # fmt: skip
def test_uneven_times_are_refused(
    tmp_path: Path, command: Upsample, refused: Refused, name: str, options: list[str]
) -> None:
    clock = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30000/1001:duration=1"]
    made = ["-pix_fmt", "yuv420p", *options]
    run([*clock, *made, str(tmp_path / name)], "making an even video")
    assert ": 30 frames" in command(tmp_path / name, tmp_path / "out.mkv")
    late = ["-vf", "setpts='PTS+gt(N,9)*0.5/TB'", "-fps_mode", "vfr", *made]
    run([*clock, *late, str(tmp_path / f"late_{name}")], "making an uneven video")
    if name == "it.hevc":  # a bare stream has no times
        return
    with refused(f"late_{name}", "frame 10", "-fps_mode cfr"):
        command(tmp_path / f"late_{name}", tmp_path / "late.mkv")
    assert not list(tmp_path.glob("*late.mkv*"))


def test_what_ffmpeg_says_is_passed_on(tmp_path: Path, command: Upsample, refused: Refused) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with refused("text.mp4", "cannot be read"):
        command(tmp_path / "text.mp4", tmp_path / "out.mkv")
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    run(
        ["-f", "lavfi", "-i", "testsrc2=size=64x48:duration=0.2", "-f", "lavfi", "-i",
         "sine=duration=0.2", "-c:v", "ffv1", "-c:a", "wmav2", str(source)],
        "making a video with sound that MP4 does not take",
    )  # fmt: skip
    with refused("out.mp4", "cannot be written", "wmav2"):
        command(source, target)
    assert [path.name for path in tmp_path.glob("*out*")] == []


def test_help_says_how_hevc_is_coded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["upsample", "--help"])
    with pytest.raises(SystemExit):
        upsample.main()
    said = " ".join(capsys.readouterr().out.split())
    assert "libx265, crf 12" in said
    assert "FFV1" in said


@pytest.mark.parametrize("factory", ["os:system", "torch.nn:Upsample"])
def test_a_model_of_foreign_code_runs_nothing(
    factory: str, repeating: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repeating.parent)
    about = json.loads((repeating / "network.json").read_text())
    arguments = about["arguments"] | ({"command": "touch ran"} if factory == "os:system" else {})
    changed = about | {"factory": factory, "arguments": arguments}
    (repeating / "network.json").write_text(json.dumps(changed))
    write_source(Path("in.y4m"))
    for module, words in (
        (upsample, ["upsample", "in.y4m", "out.mkv", "--model", str(repeating)]),
        (groups, ["groups", str(repeating)]),
    ):
        monkeypatch.setattr("sys.argv", words)
        with refused(repeating / "network.json", repr(factory), "params.yaml", "--trust"):
            module.main()
    assert not Path("ran").exists()


def test_code_that_params_name_is_trusted(
    repeating: Path, workspace: Path, tree: dict[str, Any], write_params: WriteParams,
    refused: Refused, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write_source(workspace / "in.y4m")
    words = ["upsample", "in.y4m", "out.mkv", "--model", str(repeating), "--device", "cpu"]
    monkeypatch.setattr("sys.argv", words)
    with refused("--trust"):
        upsample.main()
    tree["network"]["upsampling"]["factory"] = "torch.nn:Upsample"
    write_params(tree)
    upsample.main()
    assert Path("out.mkv").is_file()
