"""A folder of pictures gives a folder of larger ones: same names, same kind, same bits."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from torch import nn

from stages.upscaling.enlarger import Enlarger
from stages.upscaling.pictures import enlarge_picture, enlarged_pixels, picture_names
from tests.conftest import Refused

LUMA = np.array([0.114, 0.587, 0.299])  # BT.601 of blue, green, red
TWICE = Enlarger(nn.Upsample(scale_factor=2), 2, 16)


def pixels(dtype: type, *shape: int) -> np.ndarray:
    """Smooth texture, far from black and white, in all bits."""
    values = np.random.default_rng(1).random(shape)
    values = cv2.GaussianBlur(values, (0, 0), 1.5)
    return np.rint(np.iinfo(dtype).max * (0.3 + 0.4 * values)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_stays_grey(dtype: type) -> None:
    grey = pixels(dtype, 25, 31)
    made = enlarged_pixels(grey, TWICE)
    assert made.dtype == dtype
    assert np.array_equal(made, grey.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_of_colours_only_luma_goes_through_the_network(dtype: type) -> None:
    colours = pixels(dtype, 25, 31, 3)
    made = enlarged_pixels(colours, TWICE)
    assert made.dtype == dtype
    assert made.shape == (50, 62, 3)
    wanted = (colours @ LUMA).repeat(2, 0).repeat(2, 1)
    assert np.abs(made @ LUMA - wanted).max() < 1, "luma is the network's but for rounding"
    chroma = colours[..., 2] - colours @ LUMA
    height, width = chroma.shape
    smooth = cv2.resize(chroma, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    difference = np.abs(made[..., 2] - made @ LUMA - smooth)
    assert difference.mean() < 0.01 * np.iinfo(dtype).max, "chroma is a smooth enlargement"


def test_sixteen_bits_are_not_cut_to_eight() -> None:
    made = enlarged_pixels(pixels(np.uint16, 25, 31, 3), TWICE)
    assert len(np.unique(made % 257)) > 200


def test_grey_in_colours_stays_without_a_tint() -> None:
    grey = pixels(np.uint8, 25, 31)
    made = enlarged_pixels(np.stack([grey] * 3, axis=2), TWICE).astype(int)
    assert np.abs(made - made[..., :1]).max() <= 1


def test_any_picture_becomes_a_png(tmp_path: Path) -> None:
    colours, grey = pixels(np.uint8, 20, 24, 3), pixels(np.uint16, 20, 24)
    clear = np.dstack([colours, colours[..., 0]])
    written = {"a.jpg": colours, "b.TIFF": grey, "c.png": clear, "d.jpeg": colours[..., 0]}
    kinds = {
        "a.jpg": (np.uint8, (40, 48, 3)), "b.TIFF": (np.uint16, (40, 48)),
        "c.png": (np.uint8, (40, 48, 3)), "d.jpeg": (np.uint8, (40, 48)),
    }  # fmt: skip
    for name, content in written.items():
        assert cv2.imwrite(str(tmp_path / name), content)
        enlarge_picture(tmp_path / name, tmp_path / "made.png", TWICE)
        made = cv2.imread(str(tmp_path / "made.png"), cv2.IMREAD_UNCHANGED)
        assert (made.dtype, made.shape) == kinds[name]


def test_names_are_listed_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "a.JPG", "deep/a.tif", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert picture_names(tmp_path) == [Path("a.JPG"), Path("b.png"), Path("deep/a.tif")]


def test_folders_that_are_refused(tmp_path: Path, refused: Refused) -> None:
    with refused(tmp_path, "no picture", ".png"):
        picture_names(tmp_path)
    for name in ("a.png", "a.jpg"):
        (tmp_path / name).write_bytes(b"")
    with refused("a.jpg", "several suffixes"):
        picture_names(tmp_path)
    with refused("a.png", "cannot be decoded"):
        enlarge_picture(tmp_path / "a.png", tmp_path / "made.png", TWICE)
    cv2.imwrite(str(tmp_path / "float.tiff"), np.ones((8, 8), np.float32))
    with refused("float.tiff", "float32", "8 or 16 bits"):
        enlarge_picture(tmp_path / "float.tiff", tmp_path / "made.png", TWICE)
    assert not (tmp_path / "made.png").exists()
