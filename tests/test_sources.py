"""Reading, splitting and pairing pictures, and what a person reads when one is wrong."""

import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

from stages.datasets.pictures import on_grid, read_luma, write_luma
from stages.datasets.upsampling.reading import read_pairs
from stages.datasets.upsampling.samples import Picture
from stages.datasets.writing.upsampling import write_pairs
from stages.settings import Settings
from stages.sources.source import source_of
from stages.sources.upsampling.folder import folder_pictures, split_names
from stages.sources.upsampling.pairs import as_pair
from stages.sources.upsampling.photographs import photographs

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
WEIGHTS = {"red": 0.299, "green": 0.587, "blue": 0.114}


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(seed).random((height, width)), (0, 0), 1.0)


def picture(height: int, width: int, bits: int = 8, low: Any = None) -> Picture:
    return Picture("subject", on_grid(texture(height, width), bits), bits, low)


def flat(parts: dict[str, list[Any]]) -> list[Any]:
    return [one for part in parts.values() for one in part]


def save(path: Path, height: int = 40, width: int = 50) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), (255 * texture(height, width)).astype(np.uint8))
    return path


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_every_grey_level_is_read(tmp_path: Path, bits: int, suffix: str) -> None:
    levels = np.arange(2**bits, dtype=f"uint{bits}").reshape(-1, 16)
    path = tmp_path / f"levels{suffix}"
    if suffix == ".png":
        cv2.imwrite(str(path), levels)
    else:
        tifffile.imwrite(path, levels)
    luma, read_bits = read_luma(path)
    assert (luma.dtype, read_bits) == (np.float32, bits)
    assert np.array_equal(np.rint(luma.astype(float) * (2**bits - 1)), levels)


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_written_comes_back_without_loss(tmp_path: Path, bits: int) -> None:
    luma = on_grid(np.linspace(0, 1, 2**bits).reshape(-1, 16), bits)
    assert len(np.unique(luma)) == 2**bits
    write_luma(tmp_path / "sub/luma.png", luma, bits)
    read, read_bits = read_luma(tmp_path / "sub/luma.png")
    assert read_bits == bits
    assert np.array_equal(read, luma)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_luma_weighs_colours(tmp_path: Path, colour: str, suffix: str) -> None:
    path = tmp_path / f"{colour}{suffix}"
    Image.new("RGB", (32, 32), COLOURS[colour]).save(path)
    luma, bits = read_luma(path)
    coding = 1.5 / 255 if suffix == ".jpg" else 0.5 / 255
    assert bits == 8
    assert abs(luma - WEIGHTS[colour]).max() <= coding + 1e-6


def test_luma_of_sixteen_bit_colours(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint16)
    pixels[..., 1] = 65535
    tifffile.imwrite(tmp_path / "green.tif", pixels, photometric="rgb")
    luma, bits = read_luma(tmp_path / "green.tif")
    assert bits == 16
    assert abs(luma - 0.587).max() < 1 / 65535


def test_grey_stays_and_transparency_is_ignored(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = np.dstack([grey] * 3 + [255 - grey])
    Image.fromarray(pixels, "RGBA").save(tmp_path / "grey.png")
    luma, _ = read_luma(tmp_path / "grey.png")
    assert np.array_equal(np.rint(luma * 255), grey)


def test_the_grid_clips_and_rounds() -> None:
    values = np.array([-0.2, 0.0, 0.4 / 255, 0.6 / 255, 0.5001, 1.0, 1.7])
    assert np.array_equal(on_grid(values, 8) * 255, np.float32([0, 0, 0, 1, 128, 255, 255]))
    assert np.array_equal(on_grid(on_grid(values, 16), 16), on_grid(values, 16))


def broken(path: Path, kind: str) -> Path:
    good = save(path).read_bytes()
    if kind == "float":
        tifffile.imwrite(path, texture(40, 40).astype(np.float32))
    elif kind == "signed":
        tifffile.imwrite(path, np.ones((40, 40), np.int16))
    else:
        share = {"empty": 0.0, "half": 0.5, "nearly": 0.97}.get(kind)
        path.write_bytes(b"no picture" if share is None else good[: int(share * len(good))])
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("kind", ["empty", "half", "nearly", "text", "float", "signed"])
def test_a_broken_file_is_refused_by_name(
    tmp_path: Path, refused: Any, suffix: str, kind: str
) -> None:
    path = broken(tmp_path / f"bad{suffix}", kind)
    with refused(path):
        read_luma(path)


def test_no_library_adds_a_line_about_a_torn_png(
    tmp_path: Path, refused: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "torn.png"
    noise = np.random.default_rng(0).integers(0, 2**16, (64, 64, 3), np.uint16)
    whole = cv2.imencode(".png", noise)[1].tobytes()
    path.write_bytes(whole[: int(0.95 * len(whole))])
    with refused(path):
        read_luma(path)
    assert capfd.readouterr() == ("", "")


def test_a_file_that_claims_a_monstrous_size_is_refused(tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "bomb.png"
    Image.new("L", (16, 16)).save(path)
    raw = bytearray(path.read_bytes())
    raw[16:24] = (100_000).to_bytes(4, "big") * 2
    raw[29:33] = zlib.crc32(raw[12:29]).to_bytes(4, "big")
    path.write_bytes(raw)
    with refused(path):
        read_luma(path)


def test_a_folder_is_split_or_already_split(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"mixed/sub/p{number}.png")
        for part in ("train", "validation", "test"):
            save(tmp_path / f"parts/{part}/{part}{number}.png")
    (tmp_path / "mixed/notes.txt").write_text("not a picture")
    mixed = folder_pictures(tmp_path / "mixed", 0.25, 0.25, 1)
    assert [len(mixed[part]) for part in ("train", "validation", "test")] == [2, 1, 1]
    given = folder_pictures(tmp_path / "parts", 0.25, 0.25, 1)
    assert {part: [p.name for p in pictures] for part, pictures in given.items()} == {
        part: [f"{part}{number}" for number in range(4)] for part in given
    }


def test_folders_that_cannot_be_used_are_refused(tmp_path: Path, refused: Any) -> None:
    with refused("none", "does not exist"):
        folder_pictures(tmp_path / "none", 0.2, 0.2, 1)
    (tmp_path / "empty").mkdir()
    with refused(tmp_path / "empty", "no picture"):
        folder_pictures(tmp_path / "empty", 0.2, 0.2, 1)
    for name in ("few/a.png", "few/b.png", "parts/train/a.png", "parts/test/a.png"):
        save(tmp_path / name)
    with refused("too few pictures (2)"):
        folder_pictures(tmp_path / "few", 0.2, 0.2, 1)
    with refused(tmp_path / "parts", "validation/"):
        folder_pictures(tmp_path / "parts", 0.2, 0.2, 1)
    (tmp_path / "parts/validation").mkdir()
    with refused(tmp_path / "parts/validation", "no picture"):
        folder_pictures(tmp_path / "parts", 0.2, 0.2, 1)


@pytest.mark.parametrize("shares", [(0.15, 0.15), (0.01, 0.01), (0.49, 0.49), (0.9, 0.05)])
@pytest.mark.parametrize("count", [3, 4, 20])
def test_a_split_is_seeded_disjoint_and_complete(count: int, shares: tuple[float, float]) -> None:
    names = [f"p{number:02}" for number in range(count)]
    parts = split_names(names, *shares, seed=3)
    assert sorted(flat(parts)) == names
    assert all(parts.values())
    assert parts == split_names(names[::-1], *shares, seed=3)
    if count == 20:
        assert any(parts != split_names(names, *shares, seed=seed) for seed in range(4, 8))
        assert len(parts["validation"]) == max(1, round(20 * shares[0]))


def test_given_pairs_need_partners_of_the_right_size(tmp_path: Path, refused: Any) -> None:
    for name in "abc":
        save(tmp_path / f"high/{name}.png", 40, 48)
        save(tmp_path / f"low/{name}.png", 20, 24)
    pictures = flat(folder_pictures(tmp_path, 0.2, 0.2, 1))
    kept = as_pair(pictures[0], 2, "bicubic")
    assert np.array_equal(kept.low, read_luma(tmp_path / f"low/{kept.name}.png")[0])
    for scale in (1, 4):
        with refused(pictures[0].name, "40 x 48", "20 x 24" if scale == 1 else "too small"):
            as_pair(pictures[0], scale, "bicubic")
    with refused("subject", "64 x 64", "32 x 31"):
        as_pair(picture(64, 64, low=texture(32, 31)), 2, "bicubic")
    (tmp_path / "low/b.png").unlink()
    with refused(tmp_path / "high/b.png", "no partner", tmp_path / "low/b.png"):
        folder_pictures(tmp_path, 0.2, 0.2, 1)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kernel", ["bicubic", "lanczos", "bilinear", "box"])
def test_a_pair_is_cut_to_multiples_and_made_by_pillow(scale: int, kernel: str) -> None:
    whole = picture(101, 83)
    pair = as_pair(whole, scale, kernel)
    height, width = 101 // scale, 83 // scale
    assert pair.low is not None
    assert pair.low.shape == (height, width)
    assert np.array_equal(pair.high, whole.high[: height * scale, : width * scale])
    made = Image.fromarray(pair.high).resize((width, height), Image.Resampling[kernel.upper()])
    assert np.array_equal(pair.low, on_grid(np.asarray(made), 8))


def test_a_picture_that_is_too_small_is_refused(refused: Any) -> None:
    assert as_pair(picture(32, 40), 2, "bicubic").low is not None
    with refused("subject", "31 x 40", "32 pixels"):
        as_pair(picture(31, 40), 2, "bicubic")


def test_the_packaged_photographs() -> None:
    parts = photographs()
    names = {part: {p.name for p in pictures} for part, pictures in parts.items()}
    assert names["test"] == {"astronaut", "chelsea", "coffee"}
    assert len(set.union(*names.values())) == sum(map(len, names.values())) == 15
    assert any({"motorcycle_left", "motorcycle_right"} <= part for part in names.values())
    folder = Path(skimage.data.__file__).parent
    for one in flat(parts):
        path = next(folder.glob(f"{one.name}.*"))
        width, height = Image.open(path).size
        halved = 2 if path.suffix == ".jpg" else 1
        assert one.high.shape == (height // halved, width // halved), one.name
        assert one.bits == 8


def test_the_prepared_set_comes_back(prepared: Path, settings: Settings) -> None:
    parts = {part: read_pairs(prepared, part) for part in ("train", "validation", "test")}
    assert [len(pairs) for pairs in parts.values()] == [6, 2, 2]
    for pair in flat(parts):
        original, bits = read_luma(settings.data.folder / f"{pair.name}.png")
        fresh = as_pair(Picture(pair.name, original, bits), 2, "bicubic", even=True)
        assert np.array_equal(pair.high, fresh.high)
        assert np.array_equal(pair.low, fresh.low) == (pair.coding == "clean")


def test_preparing_is_repeatable(prepared: Path, settings: Settings, tmp_path: Path) -> None:
    source_of(settings).write_samples(tmp_path / "again")
    files = [path for path in prepared.rglob("*") if path.is_file()]
    assert len(files) == 16  # five targets, each with a clean and a coded version
    for path in files:
        again = tmp_path / "again" / path.relative_to(prepared)
        assert again.read_bytes() == path.read_bytes()


def test_two_pictures_of_one_name_are_refused(tmp_path: Path, refused: Any) -> None:
    pair = as_pair(picture(40, 40), 2, "bicubic")
    with refused("subject", "train"):
        write_pairs(tmp_path, {"train": [pair, pair]}, {})
