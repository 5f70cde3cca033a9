"""Fixtures that the tests share: a tiny configuration, synthetic pictures, what a refusal says."""

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from stages import artifacts
from stages.errors import UserError
from stages.settings import Settings, load_settings
from stages.sources.source import source_of
from tests.tiny import TINY, set_dotted

ROOT = Path(__file__).parents[1]

Refused = Callable[..., AbstractContextManager[None]]
WriteParams = Callable[[dict[str, Any]], Path]


@pytest.fixture(scope="session")
def repository_tree() -> dict[str, Any]:
    """The repository's own params.yaml, as plain values."""
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / "params.yaml")
    return loaded


@pytest.fixture
def tree(repository_tree: dict[str, Any]) -> dict[str, Any]:
    """A tiny configuration, free to be changed."""
    tiny = copy.deepcopy(repository_tree)
    for name, value in TINY.items():
        set_dotted(tiny, name, copy.deepcopy(value))
    return tiny


@pytest.fixture
def write_params(tmp_path: Path) -> WriteParams:
    """Write a configuration to params.yaml in a folder of the test's own."""

    def write(tree: dict[str, Any]) -> Path:
        path = tmp_path / "params.yaml"
        with path.open("w", encoding="utf-8") as file:
            YAML().dump(tree, file)  # round-trip: keys keep their order
        return path

    return write


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of smooth texture with edges, seeded."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(5):
        picture = cv2.GaussianBlur(rng.random((44 + 2 * number, 60)), (0, 0), 1.5)
        picture = cv2.normalize(picture, None, 20, 230, cv2.NORM_MINMAX)
        cv2.rectangle(picture, (8 + number, 10), (30, 25), float(40 * number), -1)
        cv2.imwrite(str(folder / f"picture{number}.png"), picture.astype(np.uint8))
    return folder


@pytest.fixture
def workspace(
    tree: dict[str, Any],
    write_params: WriteParams,
    picture_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The current folder, holding the tiny params.yaml."""
    tree["data"]["folder"] = str(picture_folder)
    write_params(tree)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def settings(workspace: Path) -> Settings:
    return load_settings()


@pytest.fixture
def prepared(settings: Settings) -> Path:
    """The prepared data set of the tiny configuration, where stages look for it."""
    source_of(settings).write_samples(artifacts.PREPARED)
    return artifacts.PREPARED


@pytest.fixture(scope="session")
def refused() -> Refused:
    """Expect a UserError of one line that says all the given words."""

    @contextmanager
    def expect(*words: object) -> Iterator[None]:
        with pytest.raises(UserError) as caught:
            yield
        message = str(caught.value)
        assert message.strip()
        assert len(message.splitlines()) == 1, f"more than one line: {message!r}"
        for word in words:
            assert str(word) in message

    return expect


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Networks this small are faster without threads that wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building a network puts the current folder on the import path: take it off again."""
    monkeypatch.setattr(sys, "path", list(sys.path))
