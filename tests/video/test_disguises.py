"""Files that are not what their names or titles say: no other file is read, no title believed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from stages.upscaling.meaning import meaning
from stages.upscaling.timing import refuse_uneven
from stages.video.decoding import decoded
from stages.video.ffmpeg import executable, run
from tests.video.scenes import form, moving, same, saved

TITLE = "Stream #0:0: Video: h264, {}(pc, bt470bg/film/linear, top), 1x1 [SAR 1:3 DAR 1:3], 1 fps"
CLIP = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.2"]
SOUND = ["-f", "lavfi", "-i", "sine=duration=0.2"]


def titled(path: Path, kind: str, *options: str, forged: str = "") -> Path:
    names = ("-metadata", "-metadata:s:v", "-metadata:s:a")
    titles = [word for name in names for word in (name, f"title={forged}")] if forged else []
    run([*CLIP, *SOUND, "-c:v", "ffv1", "-pix_fmt", kind, *titles, *options, str(path)], "making")
    return path


@pytest.mark.parametrize(
    ("kind", "forged", "bits"),
    [("yuv422p", "yuv420p10le", 8), ("yuv422p10le", "yuv420p", 10), ("gbrp", "yuv420p", 8),
     ("yuv420p", "yuv420p10le", 8), ("yuv420p10le", "rgb24", 10)],
)  # fmt: skip
def test_a_title_does_not_change_frames(tmp_path: Path, kind: str, forged: str, bits: int) -> None:
    plain = titled(tmp_path / "plain.mkv", kind)
    named = titled(tmp_path / "named.mkv", kind, forged=TITLE.format(forged))
    with decoded(plain) as (_, frames):
        wanted = list(frames)
    with decoded(named) as (told, frames):
        assert (told.width, told.height, told.bits, told.rate) == (64, 48, bits, 25)
        assert same(list(frames), wanted)


COLOURS = "setsar=4/3,setparams=range={}:colorspace=bt709:color_primaries=bt2020:color_trc=bt709"


@pytest.mark.parametrize("limits", ["tv", "pc"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("place", ["left", "center", "topleft"])
def test_what_samples_mean_is_not_read_off_a_title(
    tmp_path: Path, suffix: str, limits: str, place: str
) -> None:
    """Numbers are those of ITU-T H.273: BT.709 is 1, BT.2020's primaries are 9."""
    filters = f"format=yuv420p,{COLOURS.format(limits)}:chroma_location={place}"
    number = {"left": 0, "center": 1, "topleft": 2}[place]
    coder = ["-c:v", "libx265", "-x265-params", f"log-level=error:chromaloc={number}"]
    path = titled(tmp_path / f"it{suffix}", "yuv420p", "-vf", filters, *coder,
                  forged=TITLE.format("yuv420p"))  # fmt: skip
    filtered, given, *rest = meaning(path)
    assert filtered == "-vf"
    assert rest == ["-color_range", limits]
    settings, shape = given.removeprefix("setparams=").split(",")
    assert shape == "setsar=4/3"
    assert dict(setting.split("=") for setting in settings.split(":")) == {
        "range": limits, "colorspace": "1", "color_primaries": "9", "color_trc": "1",
        "chroma_location": place,
    }  # fmt: skip


def test_colours_of_rgb_are_not_those_of_what_is_made_of_it(tmp_path: Path) -> None:
    for kind in ("gbrp", "gray"):
        path = titled(tmp_path / f"{kind}.mkv", kind, forged=TITLE.format("yuv420p"))
        assert meaning(path) == ["-vf", "setsar=1/1"]


PLAYLISTS = {
    "list.mp4": "ffconcat version 1.0\nfile other.mkv\n",
    "list.txt": "ffconcat version 1.0\nfile 'other.mkv'\n",
    "list.mkv": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n",
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_opens_no_other_file(tmp_path: Path, refused: Any, name: str) -> None:
    like = form()
    source = saved(tmp_path / "source.y4m", like, moving(3, like))
    for other in ("other.mkv", "other.ts"):
        run(["-i", str(source), "-c:v", "libx264", str(tmp_path / other)], "making")
        with decoded(tmp_path / other) as (_, frames):
            assert len(list(frames)) == 3
    path = tmp_path / name
    path.write_text(PLAYLISTS[name])
    if name in ("list.mp4", "list.m3u8"):  # as a control, ffmpeg itself would follow these
        run(["-i", str(path), "-f", "null", "-"], "following")
    with refused(path, "cannot be read", "list of other files"), decoded(path):
        pass
    with refused(path):
        meaning(path)
    refuse_uneven(path, like.rate)  # finds no frame to judge: what `decoded` refuses


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".hevc"])
def test_text_and_empty_files_are_told_in_our_words(
    tmp_path: Path, refused: Any, suffix: str
) -> None:
    text, empty = tmp_path / f"text{suffix}", tmp_path / f"empty{suffix}"
    text.write_text("no video\n" * 300)
    empty.touch()
    with refused(text, "cannot be read", "text", "give a video file"), decoded(text):
        pass
    with refused(empty, "is empty", "copy"), decoded(empty):
        pass


@pytest.mark.parametrize(("name", "codec"), [("it.mp4", "aac"), ("it.mkv", "pcm_s16le")])
def test_sound_alone_is_told(tmp_path: Path, refused: Any, name: str, codec: str) -> None:
    title = ["-metadata", f"title={TITLE.format('yuv420p')}"]
    run([*SOUND, "-c:a", codec, *title, str(tmp_path / name)], "making sound")
    with refused(name, "sound alone", "moving pictures"), decoded(tmp_path / name):
        pass


def test_the_cover_of_an_album_is_no_video(tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "album.mp4"
    done = subprocess.run(
        [executable(), "-v", "error", *SOUND, *CLIP, "-map", "0", "-map", "1", "-c:v", "mjpeg",
         "-frames:v", "1", "-disposition:v", "attached_pic", str(path)], check=False,
    )  # fmt: skip
    assert done.returncode == 0
    with refused("album.mp4", "sound alone"), decoded(path):
        pass
