"""What lies among pictures in a folder: hidden files, pipes, giants, and what is left out."""

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stages.datasets import pictures
from stages.datasets.pictures import LARGEST, read_colours, read_luma, read_pixels
from stages.settings import Pictures
from stages.sources.classification.arrays import array_files
from stages.sources.classification.class_folders import class_folders
from stages.sources.upsampling.folder import folder_pictures
from stages.upscaling.pictures import picture_names
from tests.conftest import Refused

Read = Callable[[Path], Any]


def labelled(folder: Path) -> list[Any]:
    data, _ = class_folders(folder, Pictures(side=8, channels=1))
    return [data.x[index] for index in range(len(data.y))]


READERS: dict[str, Read] = {
    "up-sampling": lambda folder: folder_pictures(folder, 0.2, 0.2, 1),
    "classification": labelled,
    "upsample": picture_names,
}


def grey(number: int = 0) -> Image.Image:
    return Image.fromarray(np.full((40, 48), 9 * number, np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures in each of two folders: classes to a classifier, one set to all others."""
    for number in range(6):
        path = tmp_path / "mine" / f"class{number % 2}/p{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey(number).save(path)
    return tmp_path / "mine"


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Reading a pipe would never end."""

    def fail(signum: int, frame: FrameType | None) -> None:
        raise AssertionError("waits for a pipe or a device")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def count(read: Any) -> int:
    return sum(map(len, read.values())) if isinstance(read, dict) else len(read)


@pytest.mark.parametrize("reader", READERS)
def test_what_is_hidden_is_no_picture(folder: Path, reader: str) -> None:
    wanted = count(READERS[reader](folder))
    for name in (".hidden.png", "._p0.png", ".thumbnails/p0.png", "__MACOSX/class0/._p0.png"):
        path = folder / "class0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no picture")
    os.mkfifo(folder / "class0/.pipe.png")
    (folder / "class1/kept.png").mkdir()
    assert count(READERS[reader](folder)) == wanted == 6
    hidden_above = folder.rename(folder.with_name(".mine"))
    assert count(READERS[reader](hidden_above)) == 6


def test_hidden_arrays_are_passed_over(tmp_path: Path, refused: Refused) -> None:
    np.savez(tmp_path / "mine.npz", x=np.zeros((4, 1, 8)), y=[0, 1, 0, 1])
    (tmp_path / "._mine.npz").write_bytes(b"of macOS")
    assert len(array_files(tmp_path)[0].y) == 4
    (tmp_path / "mine.npz").unlink()
    os.mkfifo(tmp_path / "mine.npz")
    with refused("mine.npz", "a pipe"):
        array_files(tmp_path)


def no_file(path: Path, kind: str) -> Path:
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"device": "/dev/zero", "dangling": "/nowhere"}[kind])
    return path


@pytest.mark.parametrize("kind", ["pipe", "device", "dangling"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_by_name(
    folder: Path, refused: Refused, reader: str, kind: str
) -> None:
    path = no_file(folder / "class1/odd.png", kind)
    with refused(path, "cannot be read" if kind == "dangling" else "no file but a pipe, a device"):
        READERS[reader](folder)


@pytest.mark.parametrize("read", [read_luma, partial(read_pixels, channels=3), read_colours])
def test_each_way_of_reading_one_refuses_a_pipe(
    tmp_path: Path, refused: Refused, read: Read
) -> None:
    with refused(tmp_path / "odd.png", "a pipe"):
        read(no_file(tmp_path / "odd.png", "pipe"))


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_the_partner_of_a_pair_is_looked_at(tmp_path: Path, refused: Refused, kind: str) -> None:
    for name in ("high/a.png", "high/b.png", "high/c.png", "low/a.png", "low/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        grey().save(tmp_path / name)
    no_file(tmp_path / "low/c.png", kind)
    with refused(tmp_path / "low/c.png", "a pipe"):
        folder_pictures(tmp_path, 0.2, 0.2, 1)


def giant(path: Path, kind: str) -> Path:
    """20000 x 20000 pixels; but for a PNG, its head only says so."""
    if kind == "PNG":
        Image.new("1", (20000, 20000)).save(path, format=kind)
    elif kind == "JPEG":
        Image.new("L", (16, 16)).save(path, format=kind)
        raw = bytearray(path.read_bytes())
        start = raw.index(b"\xff\xc0") + 5
        raw[start : start + 4] = (20000).to_bytes(2, "big") * 2
        path.write_bytes(raw)
    else:  # of a kind that Pillow does not know, and one that it does
        samples = np.zeros((16, 16, 3), np.float32 if "float" in kind else np.uint16)
        tifffile.imwrite(path, samples, photometric="rgb", bigtiff="big" in kind)
        with tifffile.TiffFile(path, mode="r+b") as file:
            for tag in (256, 257):
                file.pages[0].tags[tag].overwrite(20000)  # type: ignore[union-attr]
    return path


@pytest.fixture
def _undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("read whole")

    monkeypatch.setattr(np, "fromfile", fail)
    monkeypatch.setattr(cv2, "imdecode", fail)


@pytest.mark.usefixtures("_undecoded")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "TIFF of float", "big TIFF of float"])
def test_a_giant_is_refused_by_its_head(tmp_path: Path, refused: Refused, kind: str) -> None:
    path = giant(tmp_path / "giant.png", kind)
    with refused(path, "20000 x 20000", f"{LARGEST:,} pixels", "make it smaller"):
        read_luma(path)


@pytest.mark.usefixtures("_undecoded")
@pytest.mark.parametrize("content", [b"", b"II*\0"])
def test_so_is_one_of_too_many_bytes(tmp_path: Path, refused: Refused, content: bytes) -> None:
    path = tmp_path / "giant.tif"
    path.write_bytes(content)
    os.truncate(path, 2**40)
    with refused(path, "1,099,511,627,776 bytes"):
        read_luma(path)


@pytest.mark.parametrize("reader", READERS)
def test_a_giant_in_a_folder_is_refused_first(
    folder: Path, refused: Refused, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any other picture is decoded."""
    giant(folder / "class1/z.png", "JPEG")
    monkeypatch.setattr(pictures, "decode_file", lambda *_: pytest.fail("work before the check"))
    with refused("z.png", "too large"):
        READERS[reader](folder)


def test_the_largest_picture_is_not_too_large(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey().save(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "LARGEST", 40 * 48)
    assert read_luma(tmp_path / "a.png")[0].shape == (40, 48)
    monkeypatch.setattr(pictures, "LARGEST", 40 * 48 - 1)
    with refused("a.png", "40 x 48"):
        read_luma(tmp_path / "a.png")


@pytest.mark.parametrize("reader", READERS)
def test_what_is_left_out_is_told_once(
    folder: Path, reader: str, capfd: pytest.CaptureFixture[str]
) -> None:
    READERS[reader](folder)
    assert capfd.readouterr() == ("", "")
    grey().convert("RGBA").save(folder / "class0/alpha1.png")
    grey().convert("LA").save(folder / "class1/alpha2.png")
    grey().convert("P").save(folder / "class1/alpha3.png", transparency=0)
    more = {"save_all": True, "append_images": [grey(5), grey(9)]}
    for name, kind in {"apng.png": "PNG", "pages.tif": "TIFF", "gif.png": "GIF"}.items():
        grey(1).save(folder / "class1" / name, format=kind, **more)
    READERS[reader](folder)
    said, errors = capfd.readouterr()
    assert errors == ""
    clear, longer = said.splitlines()
    assert "transparency is left out of 3 pictures: " in clear
    assert clear.count(".png") == 1
    assert "all but the first frame or page is left out of 3 pictures: " in longer
    assert longer.count("class1/") == 1


def test_one_is_told_as_one(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = folder / "class0/clear.png"
    grey().convert("RGBA").save(path)
    picture_names(folder)
    assert capfd.readouterr().out == f"transparency is left out of 1 picture: {path}\n"


def test_text_that_pillow_finds_too_long_is_no_traceback(tmp_path: Path, refused: Refused) -> None:
    text = PngInfo()
    text.add_text("workflow", "x" * 3_000_000, zip=True)
    grey().save(tmp_path / "text.png", pnginfo=text)
    with refused("text.png", "cannot be decoded"):
        read_luma(tmp_path / "text.png")
