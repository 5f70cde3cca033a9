"""What a model's folder holds is checked, and it runs no code of its own."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.networks.build import build_network
from stages.networks.saved import About, load_network, save_network

SMALL: dict[str, dict[str, Any]] = {"drln": {"width": 4, "modules": 1}, "espcn": {"width": 6}}
MINE = "own_networks:make"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder holds a module of the user's own."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own_networks.py").write_text("from stages.networks.espcn import ESPCN as make\n")
    monkeypatch.chdir(folder)
    yield folder
    sys.modules.pop("own_networks", None)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_network(tmp_path, build_network("espcn", SMALL["espcn"]), About("espcn", {}, (1, 1, 8, 8)))
    return tmp_path


@pytest.mark.parametrize("name", ["network.json", "weights.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"nonsense"])
def test_a_damaged_model_is_refused(
    saved: Path, refused: Any, name: str, content: bytes | None
) -> None:
    path = saved / name
    path.unlink() if content is None else path.write_bytes(content)
    with refused(path):
        load_network(saved)


@pytest.mark.parametrize(
    "change", [{"schema": 1}, {"further": 1}, {"example_shape": None}, "factory"]
)
def test_a_description_that_does_not_fit_is_refused(saved: Path, refused: Any, change: Any) -> None:
    path = saved / "network.json"
    content = json.loads(path.read_text())
    content = content | change if isinstance(change, dict) else content
    content.pop(change, None) if isinstance(change, str) else None
    path.write_text(json.dumps(content))
    with refused(path):
        load_network(saved)


def test_one_flipped_byte_is_refused(saved: Path, refused: Any) -> None:
    path = saved / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with refused(path, "damaged", "dvc repro"):
        load_network(saved)


HOSTILE = [
    "os:system", "posix:system", "subprocess:run", "builtins:exec", "evil:run", " evil:run",
    "stages.networks.zoo:get_model", "stages.networks.build:importlib.import_module",
    "torchvision.models:get_model", "models.own.evil:run", "evil.run", "espcn:evil",
]  # fmt: skip
EVIL = "open('ran', 'w').close()\ndef run(**arguments):\n    open('ran', 'w').close()\n"


@pytest.mark.parametrize("factory", HOSTILE)
def test_a_folder_runs_no_code_of_its_own(
    saved: Path, own: Path, refused: Any, monkeypatch: pytest.MonkeyPatch, factory: str
) -> None:
    monkeypatch.chdir(own)
    (own / "evil.py").write_text(EVIL)
    rename(saved, factory, {"command": "touch ran"})
    with refused(saved / "network.json", repr(factory), "--trust"):
        load_network(saved, ["own_networks", "drln"])
    assert not (own / "ran").exists()
    assert not {"evil", "models.own.evil"} & sys.modules.keys()


@pytest.mark.parametrize("trusted", ["own_networks:make", "own_networks"])
def test_code_that_the_user_names_is_run(own: Path, refused: Any, trusted: str) -> None:
    network = build_network(MINE, {"width": 6})
    save_network(own, network, About(MINE, {"width": 6}, (1, 1, 8, 8)))
    with refused(MINE):
        load_network(own, ["own_networks:Other", "own"])
    assert load_network(own, [trusted])[1].factory == MINE


def rename(folder: Path, factory: str, arguments: dict[str, Any]) -> None:
    """Say that a saved network is built by another factory."""
    path = folder / "network.json"
    changed = {"factory": factory, "arguments": arguments}
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_weights_of_another_network_are_refused(saved: Path, refused: Any) -> None:
    other = build_network("drln", SMALL["drln"])
    save_network(saved, other, About("drln", SMALL["drln"], (1, 1, 8, 8)))
    rename(saved, "espcn", SMALL["espcn"])
    with refused("not this network's", "body.bias"):
        load_network(saved)
