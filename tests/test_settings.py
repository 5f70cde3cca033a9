"""`params.yaml`: what is accepted, and what a person reads when it is not."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages.settings import load_settings

ROOT = Path(__file__).parents[1]
Tree = dict[str, Any]


def part_of(tree: Tree, dotted: str) -> Tree:
    for key in filter(None, dotted.split(".")):
        tree = tree[key]
    return tree


def test_the_repository_configuration_loads() -> None:
    settings = load_settings(ROOT / "params.yaml")
    assert settings.of(settings.recovery) is settings.recovery.upsampling
    assert next(iter(settings.pruning.steps.values())) == "dense"


@pytest.mark.parametrize("place", ["", "pruning", "batches.upsampling"])
def test_settings_are_frozen(write_params: Any, tree: Tree, place: str) -> None:
    section: Any = load_settings(write_params(tree))
    for name in filter(None, place.split(".")):
        section = getattr(section, name)
    field = next(iter(type(section).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(section, field, getattr(section, field))


@pytest.mark.parametrize(
    ("place", "right", "wrong"),
    [
        ("", "seed", "sede"),
        ("", "tracking", "traking"),
        ("pruning", "target", "tarjet"),
        ("data", "folder", "foldr"),
        ("batches.upsampling", "patch", "pach"),
        ("recovery.upsampling", "learning_rate", "learning-rate"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_right_one(
    write_params: Any, tree: Tree, refused: Any, place: str, right: str, wrong: str
) -> None:
    part = part_of(tree, place)
    part[wrong] = part.pop(right)
    with refused(f"{place}.{wrong}".lstrip("."), "unknown key", f"did you mean {right}?"):
        load_settings(write_params(tree))


@pytest.mark.parametrize("place", ["", "pruning", "batches.upsampling"])
def test_a_further_key_is_refused(write_params: Any, tree: Tree, refused: Any, place: str) -> None:
    part_of(tree, place)["zzz"] = 1
    with refused(f"{place}.zzz".lstrip("."), "unknown key"):
        load_settings(write_params(tree))


@pytest.mark.parametrize("place", ["seed", "pruning.target", "batches.upsampling.patch"])
def test_a_missing_key_is_named(write_params: Any, tree: Tree, refused: Any, place: str) -> None:
    parent, _, key = place.rpartition(".")
    del part_of(tree, parent)[key]
    with refused(place, "missing"):
        load_settings(write_params(tree))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *[("pruning.target", value) for value in (0, 1, -0.1, 1.5, "much", float("nan"))],
        ("pruning.schedule", "evenly"),
        ("pruning.minimum_channels", 0),
        ("seed", -1),
        ("task", "segmentation"),
        ("data.classification.modulations.snrs_db", []),
        ("data.classification.modulations.snrs_db", [-2000]),
        ("data.classification.pictures.channels", 2),
        ("network.classification.backbone", "thawed"),
        ("sweep.classification.scores", ["magnitude", "size"]),
        ("sweep.classification.include", []),
        ("sweep.classification.largest_sparsity", 1.0),
        ("sweep.classification.most_points", 2),
        ("tradeoff.classification.recovery.mode", "slowly"),
        ("batches.upsampling.noise", 1.1),
        ("data.upsampling.scale", 5),
        ("finetune.upsampling.epochs", 2.5),
        ("finetune.upsampling.learning_rate", 0),
        ("evaluation.upsampling.macs_frame", [540]),
        ("tracking.experiment", ""),
    ],
)
def test_a_value_out_of_range_is_refused(
    write_params: Any, tree: Tree, refused: Any, place: str, value: object
) -> None:
    parent, _, key = place.rpartition(".")
    part_of(tree, parent)[key] = value
    with refused("params.yaml", place):
        load_settings(write_params(tree))


def test_a_given_trade_off_must_be_given(write_params: Any, tree: Tree, refused: Any) -> None:
    tree["tradeoff"]["classification"] |= {"rule": "given", "sparsity": 0.5}
    with refused("tradeoff.classification", "score", "sparsity"):
        load_settings(write_params(tree))


def test_no_snr_is_made_twice(write_params: Any, tree: Tree, refused: Any) -> None:
    tree["data"]["classification"]["modulations"]["snrs_db"] = [10, 5, 10.0001]
    with refused("data.classification.modulations", "snrs_db", "twice"):
        load_settings(write_params(tree))


def test_no_score_is_swept_twice(write_params: Any, tree: Tree, refused: Any) -> None:
    tree["sweep"]["classification"]["scores"] = ["random", "random"]
    with refused("sweep.classification", "scores", "twice"):
        load_settings(write_params(tree))


def test_a_task_takes_its_own_part(write_params: Any, tree: Tree) -> None:
    tree["task"] = "classification"
    settings = load_settings(write_params(tree))
    assert settings.of(settings.recovery) is settings.recovery.classification


@pytest.mark.parametrize("task", ["upsampling", "classification"])
def test_parts_that_leave_nothing_to_train_are_refused(
    write_params: Any, tree: Tree, refused: Any, task: str
) -> None:
    tree["data"][task] |= {"validation": 0.5, "test": 0.5}
    with refused(f"data.{task}", "validation + test"):
        load_settings(write_params(tree))


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({1: "dense"}, ["step names must be text", "number 1"]),
        ({"step1": "dense", 2: "step1"}, ["step names must be text", "number 2"]),
        ({"a": "c", "b": "a", "c": "b"}, ["cycle"]),
        ({"a": "a"}, ["cycle"]),
        ({"a": "dense", "b": "nothing"}, ["b", "'nothing'"]),
        ({"b": "a", "a": "dense"}, ["b must start from dense"]),
        ({"a": "dense", "b": "dense"}, ["b must start from a"]),
        ({"dense": "dense"}, ["dense"]),
        ({}, ["at least one step"]),
    ],
)
def test_steps_that_are_no_chain_are_refused(
    write_params: Any, tree: Tree, refused: Any, steps: dict[Any, str], words: list[str]
) -> None:
    tree["pruning"]["steps"] = steps
    with refused("pruning", "steps", *words):
        load_settings(write_params(tree))


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {"step1": 0.4},
        {"step1": 0.4, "step3": 0.5},
        {"step2": 0.4, "step1": 0.5},
        {"step1": 0.5, "step2": 0.5},
        {"step1": 0.5, "step2": 0.4},
        {"step1": 0.5, "step2": 1.0},
        {1: 0.4, 2: 0.5},
    ],
)
def test_an_explicit_schedule_needs_rising_shares_of_all_steps(
    write_params: Any, tree: Tree, refused: Any, shares: dict[Any, float]
) -> None:
    tree["pruning"] |= {"schedule": "explicit", "shares": shares}
    with refused("pruning", "shares"):
        load_settings(write_params(tree))
    tree["pruning"]["shares"] = {"step1": 0.4, "step2": 0.5}
    assert load_settings(write_params(tree)).pruning.shares == {"step1": 0.4, "step2": 0.5}


@pytest.mark.parametrize("written", ["1e-05", "'1e-05'", "0.00001", "1.0e-5"])
def test_small_numbers_may_be_written_in_any_way(
    write_params: Any, tree: Tree, written: str
) -> None:
    tree["finetune"]["upsampling"]["learning_rate"] = "HERE"
    path = write_params(tree)
    path.write_text(path.read_text().replace("HERE", written))
    rate = load_settings(path).finetune.upsampling.learning_rate
    assert (type(rate), rate) == (float, 1e-5)


@pytest.mark.parametrize(
    "content",
    [
        b"a: [1, 2",
        b"a: b: c\n",
        b"a:\n\t- 1\n",
        b"seed: 1\nseed: 2\n",
        b"\xff\xfe\x00",
        b"- 1\n",
        b"",
    ],
)
def test_broken_files_are_refused(tmp_path: Path, refused: Any, content: bytes) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with refused("params.yaml"):
        load_settings(path)


def test_a_missing_file_is_refused(tmp_path: Path, refused: Any) -> None:
    with refused("params.yaml", "missing"):
        load_settings(tmp_path / "params.yaml")
