"""What DVC can see of what users bring, and keys of params.yaml that it cannot see."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.networks import build
from stages.networks.build import build_network
from stages.settings import load_settings
from stages.settings.params import UNTRACKED
from stages.training.initial_weights import load_weights

OWN = "from torch import nn\n\ndef small(width):\n    return nn.Conv2d(1, width, 1)\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, in which everything is told anew."""
    monkeypatch.chdir(tmp_path)
    build._warn_unwatched.cache_clear()
    yield tmp_path
    build._warn_unwatched.cache_clear()


def test_a_module_in_models_own_is_found_and_watched(place: Path, capsys: Any) -> None:
    (place / "models/own").mkdir(parents=True)
    (place / "models/own/watched_one.py").write_text(OWN)
    assert build_network("watched_one:small", {"width": 3}).weight.shape[0] == 3
    assert capsys.readouterr().out == ""


def test_a_module_elsewhere_works_and_is_told_once_per_process(place: Path, capsys: Any) -> None:
    (place / "unwatched_one.py").write_text(OWN)
    for _ in range(2):
        build_network("unwatched_one:small", {"width": 3})
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1
    for words in ("unwatched_one:small", "models/own/", "dvc repro -f finetune"):
        assert words in told[0]


@pytest.mark.parametrize("factory", ["espcn", "stages.networks.espcn:ESPCN"])
def test_our_own_networks_are_watched(place: Path, capsys: Any, factory: str) -> None:
    build_network(factory, {"width": 4})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("folder", "lines"), [("models/initial", 0), ("elsewhere", 1)])
def test_weights_outside_of_models_initial_are_told(
    place: Path, capsys: Any, folder: str, lines: int
) -> None:
    network, path = torch.nn.Linear(2, 3), place / folder / "w.pth"
    path.parent.mkdir(parents=True)
    torch.save(network.state_dict(), path)
    load_weights(network, path.relative_to(place))
    told = capsys.readouterr().out.splitlines()
    assert len(told) == lines
    assert all("models/initial/" in line and "w.pth" in line for line in told)


def keys_of(tree: Any) -> Iterator[str]:
    """All keys of a tree, at any depth."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield key
        yield from keys_of(value)


def test_no_key_of_params_yaml_is_one_that_dvc_leaves_out(repository_tree: Any) -> None:
    """DVC leaves `size` and `nfiles` out of its run-cache key (treeverse/dvc#10296)."""
    assert UNTRACKED == ("size", "nfiles")
    assert not set(keys_of(repository_tree)) & set(UNTRACKED)


@pytest.mark.parametrize("key", ["size", "nfiles"])
@pytest.mark.parametrize("inside", [False, True])
def test_such_a_key_is_refused_among_arguments_too(
    write_params: Any, tree: Any, refused: Any, key: str, inside: bool
) -> None:
    arguments = tree["network"]["upsampling"]["arguments"]
    arguments |= {"inner": {key: 3}} if inside else {key: 3}
    with refused(f"{key}: DVC does not track", "another name"):
        load_settings(write_params(tree))
