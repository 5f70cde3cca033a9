"""Labelled samples: splitting, writing, reading, and what is refused."""

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stages.datasets.classification.reading import describe, read_labelled
from stages.datasets.classification.samples import Labelled
from stages.datasets.writing.classification import write_labelled
from stages.settings import ClassificationBatches, Pictures
from stages.sources.classification.arrays import array_files
from stages.sources.classification.class_folders import class_folders
from stages.sources.classification.digits import digits
from stages.sources.classification.splitting import split_labelled
from stages.tasks.classification.samples import LabelledSamples, varied

PLAIN = Pictures(side=None, channels=1)


def signals(count: int = 60, snrs: bool = True) -> Labelled:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((count, 2, 16)) * [[3], [0.5]] + [[7], [0]]).astype(np.float32)
    snr_db = np.repeat(np.float32([0, 10]), count // 2) if snrs else None
    return Labelled(x, np.arange(count) % 3, ("a", "b", "c"), snr_db)


def pictures(colour: bool = False) -> Labelled:
    rng = np.random.default_rng(0)
    shape = (30, 9, 8, 3) if colour else (30, 9, 8)
    return Labelled(rng.integers(0, 256, shape, np.uint8), np.arange(30) % 3, ("a", "b", "c"))


def test_parts_share_no_sample_and_lose_none() -> None:
    split = split_labelled(signals(), 0.2, 0.3, 1)
    together = np.concatenate(list(split.values()))
    assert sorted(together) == list(range(60))
    again, other = (split_labelled(signals(), 0.2, 0.3, seed) for seed in (1, 2))
    assert all(np.array_equal(split[part], again[part]) for part in split)
    assert not np.array_equal(split["test"], other["test"])


def test_every_class_at_every_snr_gives_each_part_its_share() -> None:
    data = signals()
    split = split_labelled(data, 0.2, 0.3, 1)
    assert data.snr_db is not None
    for part, each in {"validation": 2, "test": 3, "train": 5}.items():
        counts = Counter(zip(data.y[split[part]], data.snr_db[split[part]], strict=True))
        assert set(counts.values()) == {each}
        assert len(counts) == 6


def test_arrays_come_back_standardised_by_the_training_part(tmp_path: Path) -> None:
    data = signals()
    split = split_labelled(data, 0.2, 0.2, 1)
    write_labelled(tmp_path, data, split, channels=1)
    about = describe(tmp_path)
    assert (about["shape"], about["classes"]) == ([2, 16], ["a", "b", "c"])
    train = np.stack([read_labelled(tmp_path, "train")[i] for i in range(len(split["train"]))])
    assert train.mean(axis=(0, 2)) == pytest.approx([0, 0], abs=1e-4)
    assert train.std(axis=(0, 2)) == pytest.approx([1, 1], abs=1e-4)
    for part, indices in split.items():
        back = read_labelled(tmp_path, part)
        assert np.array_equal(back.y, data.y[indices])
        assert data.snr_db is not None
        assert back.snr_db is not None
        assert np.array_equal(back.snr_db, data.snr_db[indices])
        raw = back[0] * np.float32(about["deviation"])[:, None] + np.float32(about["mean"])[:, None]
        assert raw == pytest.approx(data.x[indices[0]], abs=1e-4)


@pytest.mark.parametrize(("colour", "channels"), [(False, 1), (False, 3), (True, 3)])
def test_pictures_lie_in_class_folders_without_loss(
    tmp_path: Path, colour: bool, channels: int
) -> None:
    data = pictures(colour)
    split = split_labelled(data, 0.2, 0.2, 1)
    write_labelled(tmp_path, data, split, channels)
    assert {path.name for path in (tmp_path / "train").iterdir()} == {"a", "b", "c"}
    about, back = describe(tmp_path), read_labelled(tmp_path, "test")
    assert about["shape"] == [channels, 9, 8]
    mean, deviation = (np.float32(about[key])[:, None, None] for key in ("mean", "deviation"))
    wanted = np.asarray(data.x[split["test"][0]])
    wanted = wanted.transpose(2, 0, 1) if colour else np.repeat(wanted[None], channels, 0)
    assert 255 * (back[0] * deviation + mean) == pytest.approx(wanted, abs=1e-2)
    again, parts = class_folders(tmp_path, Pictures(side=None, channels=3 if colour else 1))
    assert parts is not None
    assert np.array_equal(again.x[int(parts["test"][0])], np.sort([0]) + data.x[split["test"][0]])


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_any_spread_of_snrs_gives_each_part_its_share(decimals: int) -> None:
    rng = np.random.default_rng(0)
    snr_db = np.round(rng.uniform(-5, 20, 300), decimals).astype(np.float32)
    data = Labelled(np.zeros((300, 1, 4), np.float32), np.arange(300) % 3, ("a", "b", "c"), snr_db)
    split = split_labelled(data, 0.1, 0.2, 1)
    assert {part: len(indices) for part, indices in split.items()} == {
        "train": 210, "validation": 30, "test": 60,
    }  # fmt: skip
    for indices in split.values():
        assert np.mean(snr_db[indices]) == pytest.approx(np.mean(snr_db), abs=0.5)


def test_a_class_with_too_few_samples_is_refused(refused: Any) -> None:
    data = Labelled(np.zeros((5, 2, 4), np.float32), np.array([0, 0, 0, 1, 1]), ("a", "b"))
    with refused("class b", "2 samples"):
        split_labelled(data, 0.2, 0.2, 1)


def test_digits_are_5000_of_ten_classes() -> None:
    data = digits()
    assert np.asarray(data.x).shape == (5000, 28, 28)
    assert Counter(data.y.tolist()) == dict.fromkeys(range(10), 500)


def write_tree(root: Path, sizes: dict[str, list[tuple[int, int]]]) -> Path:
    rng = np.random.default_rng(0)
    for name, shapes in sizes.items():
        (root / name).mkdir(parents=True)
        for number, shape in enumerate(shapes):
            path = str(root / name / f"{number}.png")
            cv2.imwrite(path, rng.integers(0, 256, (*shape, 3), np.uint8))
    return root


def test_class_folders_are_read_and_resized(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"cat": [(20, 30), (10, 10)], "dog": [(12, 14)]})
    data, parts = class_folders(root, Pictures(side=16, channels=3))
    assert (data.classes, parts, data.y.tolist()) == (("cat", "dog"), None, [0, 0, 1])
    assert [picture.shape for picture in data.x] == [(16, 16, 3)] * 3
    grey, _ = class_folders(root, Pictures(side=16, channels=1))
    assert grey.x[0].shape == (16, 16)


def test_mixed_sizes_that_are_not_resized_are_refused(tmp_path: Path, refused: Any) -> None:
    root = write_tree(tmp_path, {"cat": [(20, 30)], "dog": [(12, 14)]})
    data, _ = class_folders(root, PLAIN)
    with refused("0.png", "12 x 14", "20 x 30", "pictures.side"):
        [data.x[index] for index in range(len(data.y))]


def test_hidden_files_and_folders_are_no_classes(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"cat": [(9, 9)], "dog": [(9, 9)], ".checkpoints": [(9, 9)]})
    (root / "cat/._0.png").write_bytes(b"no picture")
    data, _ = class_folders(root, PLAIN)
    assert (data.classes, len(data.y)) == (("cat", "dog"), 2)


def test_deep_pictures_are_refused(tmp_path: Path, refused: Any) -> None:
    root = write_tree(tmp_path, {"cat": [(9, 9)], "dog": [(9, 9)]})
    cv2.imwrite(str(root / "cat/0.png"), np.full((9, 9), 300, np.uint16))
    data, _ = class_folders(root, PLAIN)
    with refused("0.png", "uint16", "8 bits"):
        data.x[0]


def test_parts_must_name_the_same_classes(tmp_path: Path, refused: Any) -> None:
    for part, classes in {"train": "ab", "validation": "ab", "test": "ba"}.items():
        named = {"classes": np.array(list(classes))}
        np.savez(tmp_path / f"{part}.npz", x=GOOD["x"], y=GOOD["y"], **named)
    with refused("differ", "classes"):
        array_files(tmp_path)


def test_trees_that_are_no_classes_are_refused(tmp_path: Path, refused: Any) -> None:
    with refused("does not exist", "data.folder"):
        class_folders(tmp_path / "none", PLAIN)
    write_tree(tmp_path / "one", {"cat": [(9, 9)]})
    with refused("1 class folders", "two"):
        class_folders(tmp_path / "one", PLAIN)
    write_tree(tmp_path / "gap", {"cat": [(9, 9)], "dog": []})
    with refused("dog", "no picture"):
        class_folders(tmp_path / "gap", PLAIN)
    for part, names in {"train": "ab", "validation": "ab", "test": "ac"}.items():
        write_tree(tmp_path / "parts" / part, {name: [(9, 9)] for name in names})
    with refused("test", "other classes"):
        class_folders(tmp_path / "parts", PLAIN)
    write_tree(tmp_path / "half/train", {"a": [(9, 9)], "b": [(9, 9)]})
    with refused("train/", "validation/, test/"):
        class_folders(tmp_path / "half", PLAIN)


@pytest.mark.parametrize("shape", [(12, 2, 16), (12, 3, 8, 9)])
def test_arrays_of_any_layout_are_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x, y = np.random.default_rng(0).random(shape), np.arange(12) % 2
    np.savez(tmp_path / "mine.npz", x=x, y=y, classes=np.array(["off", "on"]))
    data, parts = array_files(tmp_path)
    assert parts is None
    assert data.classes == ("off", "on")
    assert np.asarray(data.x) == pytest.approx(x)


def test_arrays_may_come_in_parts(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "validation", "test")):
        x = np.full((4, 1, 8), number, np.float32)
        np.savez(tmp_path / f"{part}.npz", x=x, y=[0, 1, 0, 1], snr_db=np.full(4, number))
    data, parts = array_files(tmp_path)
    assert parts is not None
    for number, part in enumerate(("train", "validation", "test")):
        assert {float(data.x[i][0, 0]) for i in parts[part]} == {number}
        assert data.snr_db is not None
        assert set(data.snr_db[parts[part]]) == {number}


GOOD: dict[str, Any] = {"x": np.zeros((6, 1, 8)), "y": np.arange(6) % 2}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((6, 8))}, ["(6, 8)", "(N, C, L)"]),
        ({"x": np.array([["a"] * 8] * 6)[:, None]}, ["x has"]),
        ({"x": np.where(np.arange(48).reshape(6, 1, 8) == 20, np.nan, 0)}, ["sample 2", "NaN"]),
        ({"y": np.array([0, 1, 2, 0, 1, -1])}, ["label -1", "out of range"]),
        ({"y": np.arange(6), "classes": np.array(["a", "b"])}, ["label 5", "2 classes"]),
        ({"y": np.array([0, 1, 0, 1, 0, 99])}, ["6 samples", "100 classes"]),
        ({"y": np.array([0, 1, 0, 1, 0, 2**40])}, ["label", "out of range"]),
        ({"y": np.arange(6), "classes": np.array(list("abcdefg"))}, ["6 samples", "7 classes"]),
        ({"classes": np.array(["a", "a"])}, ["different names"]),
        ({"classes": np.array("ab")}, ["different names"]),
        ({"snr_db": np.array([1, 2, 3, 4, 5, np.nan])}, ["snr_db", "number"]),
        ({"snr_db": np.array(["a"] * 6)}, ["snr_db", "number"]),
        ({"y": np.zeros(6, int)}, ["two classes"]),
        ({"y": np.zeros(6)}, ["y has", "whole numbers"]),
        ({"y": np.zeros(5, int)}, ["y has", "(5,)"]),
        ({"y": np.array([0, 1, None, 1, 0, 1], object)}, ["objects", "never unpickled"]),
        ({"x": np.array([[1], [2, 3]] * 3, object)}, ["objects", "never unpickled"]),
        ({"snr_db": np.zeros(2)}, ["snr_db"]),
    ],
)
def test_bad_arrays_are_refused(
    tmp_path: Path, refused: Any, changes: dict[str, Any], words: list[str]
) -> None:
    np.savez(tmp_path / "mine.npz", **(GOOD | changes))
    with refused("mine.npz", *words):
        array_files(tmp_path)


def test_folders_without_the_right_files_are_refused(tmp_path: Path, refused: Any) -> None:
    with refused("0 .npz files"):
        array_files(tmp_path)
    (tmp_path / "mine.npz").write_bytes(b"nothing")
    with refused("mine.npz"):
        array_files(tmp_path)
    np.savez(tmp_path / "mine.npz", x=GOOD["x"])
    with refused("mine.npz", "no array called y"):
        array_files(tmp_path)
    np.savez(tmp_path / "more.npz", **GOOD)
    with refused("2 .npz files", "train.npz"):
        array_files(tmp_path)


def batches(**changes: Any) -> ClassificationBatches:
    plain = {"batch": 4, "shift": 0, "mirror": False, "noise": 0}
    return ClassificationBatches(**(plain | changes))


def test_training_samples_go_through_the_data_in_rounds(tmp_path: Path) -> None:
    data = signals()
    write_labelled(tmp_path, data, split_labelled(data, 0.2, 0.2, 1), channels=1)
    part = read_labelled(tmp_path, "train")
    samples = LabelledSamples(part, batches(), 3 * len(part), (1, "phase"))
    for start in range(0, len(samples), len(part)):
        seen = sorted(samples.order[start : start + len(part)])
        assert seen == list(range(len(part)))
    x, label = samples[5]
    assert np.array_equal(x.numpy(), part[int(samples.order[5])])
    assert int(label) == part.y[int(samples.order[5])]
    other = LabelledSamples(part, batches(), 3 * len(part), (1, "other"))
    assert not np.array_equal(samples.order, other.order)
    with pytest.raises(IndexError):
        samples[len(samples)]


def test_variations() -> None:
    x, rng = np.arange(24, dtype=np.float32).reshape(2, 12), np.random.default_rng(0)
    assert np.array_equal(varied(x, batches(), rng), x)
    mirrored = {varied(x, batches(mirror=True), rng).tobytes() for _ in range(20)}
    assert mirrored == {x.tobytes(), np.ascontiguousarray(x[:, ::-1]).tobytes()}
    moved = [varied(x, batches(shift=2), rng) for _ in range(50)]
    assert {int(m[0, 5] - x[0, 5]) for m in moved} == {-2, -1, 0, 1, 2}
    assert all(m.shape == x.shape for m in moved)
    noisy = np.stack([varied(x, batches(noise=0.1), rng) - x for _ in range(200)])
    assert noisy.std() == pytest.approx(0.1, rel=0.05)
