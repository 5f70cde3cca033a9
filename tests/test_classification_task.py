"""Classification: preparing, checking, judging, and what is shown of it, on tiny data."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages import artifacts
from stages.datasets.classification.reading import Prepared, describe, read_labelled
from stages.figures.classification import examples_figure, snr_figure
from stages.figures.task_figures import task_figures_of
from stages.figures.theme import save
from stages.inference import classification
from stages.inference.classification import predicted
from stages.settings import load_settings
from stages.sources.classification.modulations import MODULATIONS
from stages.sources.source import source_of
from stages.tasks.classification.task import Classification
from stages.tasks.output_shape import refuse_misfit
from stages.tasks.quality import measures_of
from stages.tasks.task import task_of
from stages.testing.baseline import baseline_of
from stages.testing.held_out import HeldOut, held_out_of

Make = Callable[..., Classification]
LABELS = np.array([0, 0, 1, 1, 1, 2] * 10)


class Reads(nn.Module):
    """Knows the labels that `write_arrays` writes into samples; takes them for `taken`."""

    def __init__(self, *taken: int):
        super().__init__()
        self.about, self.scores = describe(artifacts.PREPARED), torch.eye(3)[list(taken)]

    def forward(self, x: Tensor) -> Tensor:
        labels = x[:, 0, 0] * self.about["deviation"][0] + self.about["mean"][0]
        return self.scores[labels.round().long()]


@pytest.fixture
def make(tree: Any, write_params: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """The task with changes to its data, prepared in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)

    def prepare(source: str, **modulations: Any) -> Classification:
        tree["task"], tree["data"]["folder"] = "classification", str(tmp_path / "own")
        data = tree["data"]["classification"]
        data |= {"source": source, "validation": 0.2, "test": 0.3}
        data["modulations"] |= {"signals": 10, "snrs_db": [0, 20], "length": 128} | modulations
        write_params(tree)
        settings = load_settings()
        artifacts.PREPARED.mkdir(parents=True)
        assert " samples of " in source_of(settings).write_samples(artifacts.PREPARED)
        task = task_of(settings)
        assert isinstance(task, Classification)
        return task

    return prepare


def held_out() -> HeldOut:
    """The test part of what `make` prepared."""
    return held_out_of(load_settings())


def write_arrays(folder: Path) -> None:
    folder.mkdir()
    x = np.random.default_rng(0).normal(size=(60, 2, 12))
    x[:, 0] = LABELS[:, None]
    np.savez(folder / "mine.npz", x=x, y=LABELS, classes=["one", "two", "three"])


def write_pictures(folder: Path) -> None:
    for number, name in enumerate(["cat", "dog"] * 10):
        (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = np.full((10, 12, 3), 10 * number, np.uint8)
        cv2.imwrite(str(folder / name / f"{number}.png"), pixels)


def labels_of(part: str) -> list[int]:
    return [int(label) for label in read_labelled(artifacts.PREPARED, part).y]


def arbitrary(task: Classification) -> nn.Module:
    """A network of random weights that in training gives other scores every time."""
    torch.manual_seed(0)
    sizes = math.prod(task.example_shape), task.factory_arguments()["classes"]
    return nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(*sizes))


def one_by_one(network: nn.Module, part: Prepared) -> list[int]:
    with torch.no_grad():
        samples = (torch.from_numpy(part[index])[None] for index in range(len(part)))
        return [int(network(x)[0].argmax()) for x in samples]


@pytest.mark.parametrize(("view", "shape"), [("iq", (2, 128)), ("spectrogram", (1, 64, 64))])
def test_modulations_are_prepared(make: Make, view: str, shape: tuple[int, ...]) -> None:
    task = make("modulations", view=view)
    assert (task.example_shape, task.cost_shapes.macs) == ((1, *shape), (1, *shape))
    assert task.factory_arguments() == {"classes": len(MODULATIONS), "input_shape": list(shape)}
    for part, each in {"train": 5, "validation": 2, "test": 3}.items():
        snrs = np.asarray(read_labelled(artifacts.PREPARED, part).snr_db).tolist()
        counts = Counter(zip(labels_of(part), snrs, strict=True))
        assert counts == {(c, snr): each for c in range(len(MODULATIONS)) for snr in (0.0, 20.0)}
    refuse_misfit(arbitrary(task), task.fit)


@pytest.mark.parametrize(("side", "channels", "shape"), [(None, 3, [3, 10, 12]), (8, 1, [1, 8, 8])])
def test_class_folders_are_prepared(
    make: Make, tree: Any, tmp_path: Path, side: int | None, channels: int, shape: list[int]
) -> None:
    write_pictures(tmp_path / "own")
    tree["data"]["classification"]["pictures"] = {"side": side, "channels": channels}
    task = make("folder")
    assert task.factory_arguments() == {"classes": 2, "input_shape": shape}
    assert [len(labels_of(part)) for part in ("train", "validation", "test")] == [10, 4, 6]


def test_arrays_are_prepared_and_their_most_frequent_class_is_the_baseline(
    make: Make, tmp_path: Path
) -> None:
    write_arrays(tmp_path / "own")
    task = make("arrays")
    assert task.factory_arguments() == {"classes": 3, "input_shape": [2, 12]}
    assert Counter(labels_of("train")) == {0: 10, 1: 15, 2: 5}
    assert baseline_of(load_settings()).validate() == 6 / 12
    assert {(row["model"], row["predicted"]) for row in held_out().rows({})} == {
        ("majority", "two")
    }


def test_networks_that_do_not_fit_the_data_are_refused(make: Make, refused: Any) -> None:
    task = make("modulations")
    with refused("(2, 2, 128)", "(2, 5)", "8 classes need (2, 8)"):
        refuse_misfit(nn.Sequential(nn.Flatten(), nn.Linear(256, 5)), task.fit)
    with refused("(2, 2, 128)", "(2, 2, 8)"):
        refuse_misfit(nn.Linear(128, 8), task.fit)
    with refused("does not take inputs of shape (2, 2, 128)", "cannot be multiplied"):
        refuse_misfit(nn.Linear(5, 8), task.fit)


@pytest.mark.parametrize("batch", [1, 7, 32, 1000])
def test_quality_is_the_share_of_right_predictions_however_many_are_made_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    task = make("modulations")
    network, part = arbitrary(task), read_labelled(artifacts.PREPARED, "validation")
    monkeypatch.setattr(classification, "BATCH", batch)
    by_hand = one_by_one(network.eval(), part)
    assert predicted(network.train(), part).tolist() == by_hand
    assert len(set(by_hand)) > 2
    share = float(np.mean(np.array(by_hand) == part.y))
    assert task.validate(network.train()) == pytest.approx(share)
    assert 0 < share < 1


def test_every_model_and_sample_has_a_row(make: Make, tmp_path: Path) -> None:
    write_arrays(tmp_path / "own")
    task, names, taken = make("arrays"), ("one", "two", "three"), {"majority": "two"}
    assert (task.validate(Reads(0, 1, 2)), task.validate(Reads(0, 1, 0))) == (1, 10 / 12)
    settings = load_settings()
    metrics = measures_of(settings).metrics
    rows = held_out().rows({"dense": Reads(0, 1, 2), "sparse": Reads(0, 1, 0)})
    places = [(row["model"], row["item"]) for row in rows]
    assert places == [(m, item) for m in ("majority", "dense", "sparse") for item in range(18)]
    for row in rows:
        taken |= {"dense": row["class"], "sparse": row["class"].replace("three", "one")}
        assert row["class"] == names[labels_of("test")[row["item"]]]
        assert row["predicted"] == taken[row["model"]]
        assert row["accuracy"] == float(row["predicted"] == row["class"])
        assert row.keys() == {"model", "item", "class", "predicted", *metrics}
    assert task_figures_of(settings).tables(rows) == {}


def test_the_table_holds_the_accuracy_at_every_snr(make: Make) -> None:
    task = make("modulations", snrs_db=[20, -5, 2.5])
    network, part = arbitrary(task).eval(), read_labelled(artifacts.PREPARED, "test")
    figures = task_figures_of(load_settings())
    ((head, lines),) = figures.tables(held_out().rows({"dense": network})).values()
    assert head == ["model", "-5 dB", "2.5 dB", "20 dB"]
    right = np.array(one_by_one(network, part)) == part.y
    by_hand = [f"{right[part.snr_db == snr].mean():.3f}" for snr in (-5, 2.5, 20)]
    assert lines == [["majority", *["0.125"] * 3], ["dense", *by_hand]]
    assert len(set(by_hand)) > 1


@pytest.mark.parametrize(("source", "more"), [("modulations", ["snr"]), ("arrays", [])])
def test_figures_are_drawn_of_what_was_written(
    make: Make, tmp_path: Path, source: str, more: list[str]
) -> None:
    write_arrays(tmp_path / "own")
    task = make(source)
    networks = dict.fromkeys(("dense", "pruned"), arbitrary(task))
    artifacts.write_csv(tmp_path / "test.csv", held_out().rows(networks))
    held_out().show(networks, tmp_path)
    rows = artifacts.read_csv(tmp_path / "test.csv")
    drawings = task_figures_of(load_settings()).drawings(rows, tmp_path)
    assert list(drawings) == ["confusions", "examples", *more]
    titles = [a.get_title() or a.get_title("left") for a in drawings["confusions"].figure.axes]
    assert titles == ["dense", "pruned"]
    for name, drawing in drawings.items():
        save(drawing.figure, tmp_path / f"{name}.png")
        assert len(np.unique(cv2.imread(str(tmp_path / f"{name}.png")))) > 10


def examples(channels: int, *sides: int, classes: int = 3) -> Any:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(classes, channels, *sides)).astype(np.float32)
    return examples_figure(x, [f"class {n}" for n in range(classes)])


@pytest.mark.parametrize(("channels", "drawn"), [(1, 1), (2, 2), (6, 6), (20, 8)])
def test_signals_are_shown_whole_with_all_channels(channels: int, drawn: int) -> None:
    figure = examples(channels, 512)
    for axes in figure.axes:
        assert axes.axison
        assert len(axes.lines) == drawn
        assert [len(line.get_xdata()) for line in axes.lines] == [512] * drawn
    told = {1: "one channel", 20: "8 of 20 channels"}.get(channels, f"all {channels} channels")
    assert told in figure.get_suptitle()
    assert figure.get_supxlabel()
    assert figure.get_supylabel()


@pytest.mark.parametrize(("channels", "told"), [(1, "one channel"), (3, "all 3"), (2, "1 of 2")])
def test_pictures_are_shown_with_what_is_drawn_of_them(channels: int, told: str) -> None:
    figure = examples(channels, 10, 12)
    assert told in figure.get_suptitle()
    assert all(axes.axison and len(axes.images) == 1 for axes in figure.axes)


def test_accuracy_by_snr_shows_where_networks_differ() -> None:
    rows = [
        {"model": model, "snr_db": snr, "accuracy": str(int(item < 1000 * share))}
        for model, share in {"majority": 0.125, "dense": 0.92, "pruned": 0.90}.items()
        for snr in ("0", "10")
        for item in range(1000)
    ]
    near, rest = snr_figure(rows).axes
    assert 0.85 < near.get_ylim()[0] < 0.90
    assert rest.get_ylim()[0] < 0.125
    assert rest.get_ylim()[1] == near.get_ylim()[0]


def test_examples_show_every_class_at_the_highest_snr(make: Make, tmp_path: Path) -> None:
    make("modulations")
    held_out().show({}, tmp_path)
    part, shown = read_labelled(artifacts.PREPARED, "test"), np.load(tmp_path / "examples.npz")["x"]
    places = [i for x in shown for i in range(len(part)) if np.array_equal(part[i], x)]
    assert part.y[places].tolist() == list(range(len(MODULATIONS)))
    assert set(np.asarray(part.snr_db)[places]) == {20}
