"""What classifiers start from: weights with another head, and torchvision's own."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stages.networks.lenet import LeNetSmall
from stages.networks.residual import residual_signal
from stages.networks.zoo import torchvision_classifier
from stages.training.initial_weights import INITIAL, TORCHVISION, load_weights

State = Mapping[str, Tensor]
Write = Callable[[State], Path]
DOWNLOAD = "torchvision.models._api.load_state_dict_from_url"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=[".safetensors", ".pth"])
def write(tmp_path: Path, request: Any, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write tensors to the folder of initial weights that DVC watches."""
    monkeypatch.chdir(tmp_path)
    INITIAL.mkdir(parents=True)

    def write_file(tensors: State) -> Path:
        path = INITIAL / f"weights{request.param}"
        save_file(dict(tensors), path) if path.suffix != ".pth" else torch.save(tensors, path)
        return path

    return write_file


def lenet(classes: int = 7) -> LeNetSmall:
    return LeNetSmall(classes, (1, 12, 12))


def signal() -> nn.Module:
    return residual_signal(3, (2, 32), widths=(4, 6), strides=(1, 2))


def copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def differing(one: State, other: State) -> set[str]:
    return {name for name, tensor in other.items() if not torch.equal(one[name], tensor)}


def test_a_head_of_another_size_starts_anew(write: Write, capsys: Any) -> None:
    source, target = lenet(1000).state_dict(), lenet()
    before, path = copied(target), write(source)
    load_weights(target, path, new_head=True)
    state, head = target.state_dict(), {"head.weight", "head.bias"}
    assert differing(source, {n: t for n, t in state.items() if n not in head}) == set()
    assert differing(before, state) == state.keys() - head
    (line,) = capsys.readouterr().out.splitlines()
    assert str(path) in line
    assert "last layer" in line


def test_a_head_that_fits_is_loaded_without_a_word(write: Write, capsys: Any) -> None:
    source, target = lenet(), lenet()
    load_weights(target, write(source.state_dict()), new_head=True)
    assert differing(source.state_dict(), target.state_dict()) == set()
    assert capsys.readouterr().out == ""


def test_a_head_of_another_size_is_refused_unless_it_may_be_new(write: Write, refused: Any) -> None:
    target, path = lenet(), write(lenet(1000).state_dict())
    before = copied(target)
    with refused(path, "wrong shape", "head.bias [1000] instead of [7]"):
        load_weights(target, path)
    assert differing(before, target.state_dict()) == set()


def test_a_new_head_excuses_nothing_else(write: Write, refused: Any) -> None:
    state, target = dict(lenet(1000).state_dict()), lenet()
    before = copied(target)
    with refused("wrong shape: features.0.bias [3] instead of [8]"):
        load_weights(target, write(state | {"features.0.bias": torch.zeros(3)}), new_head=True)
    with refused("unexpected: more"):
        load_weights(target, write(state | {"more": torch.zeros(3)}), new_head=True)
    del state["head.bias"]
    with refused("missing: head.bias"):
        load_weights(target, write(state), new_head=True)
    assert differing(before, target.state_dict()) == set()


def test_weights_without_counts_of_batches_are_loaded(write: Write) -> None:
    old = {n: t for n, t in signal().state_dict().items() if not n.endswith("batches_tracked")}
    signal().load_state_dict(old, strict=True)
    target = signal()
    load_weights(target, write(old))
    assert differing(target.state_dict(), old) == set()


def download_gives(monkeypatch: pytest.MonkeyPatch, state: State) -> dict[str, Any]:
    """Let torchvision's download give `state`; returns how it was asked."""
    asked: dict[str, Any] = {}

    def load(url: str, *args: Any, **options: Any) -> dict[str, Tensor]:
        asked.update(options, url=url)
        return dict(state)

    monkeypatch.setattr(DOWNLOAD, load)
    return asked


def test_torchvisions_own_weights_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    source = torchvision_classifier("squeezenet1_0", 1000, (3, 64, 64)).state_dict()
    asked = download_gives(monkeypatch, source)
    target = torchvision_classifier("squeezenet1_0", 7, (3, 64, 64))
    load_weights(target, TORCHVISION, "squeezenet1_0", new_head=True)
    head = {"classifier.1.weight", "classifier.1.bias"}
    body = {n: t for n, t in target.state_dict().items() if n not in head}
    assert differing(source, body) == set()
    assert len(body) == len(source) - 2
    assert "squeezenet1_0" in asked["url"]
    assert asked["check_hash"], "a download must be what torchvision means it to be"


@pytest.mark.parametrize(
    "name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.slow)]
)
def test_torchvisions_own_weights_leave_out_a_second_head(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    options = {"aux_logits": True, "init_weights": False}
    source = torchvision_classifier(name, 1000, (3, 64, 64), **options).state_dict()
    assert any(key.lower().startswith("aux") for key in source)
    download_gives(monkeypatch, source)
    target = torchvision_classifier(name, 7, (3, 64, 64))
    load_weights(target, TORCHVISION, name, new_head=True)
    assert differing(source, target.state_dict()) == {"fc.weight", "fc.bias"}


def test_torchvisions_own_weights_of_densenet_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torchvision_classifier("densenet121", 1000, (3, 64, 64)).state_dict()
    source = {n: t for n, t in state.items() if not n.endswith("batches_tracked")}
    old = {re.sub(r"(denselayer\d+\.\w+)([12])", r"\1.\2", n): t for n, t in source.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    download_gives(monkeypatch, old)
    target = torchvision_classifier("densenet121", 7, (3, 64, 64))
    load_weights(target, TORCHVISION, "densenet121", new_head=True)
    head = {"classifier.weight", "classifier.bias"}
    body = {name: tensor for name, tensor in source.items() if name not in head}
    assert differing(target.state_dict(), body) == set()


def test_torchvisions_weights_that_cannot_be_had_are_refused(
    monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError("no route\nto host")

    monkeypatch.setattr(DOWNLOAD, fail)
    where = "network.classification.weights"
    with refused("squeezenet1_0", "no route", where):
        load_weights(lenet(), TORCHVISION, "squeezenet1_0")
    with refused("lenet_small", where):
        load_weights(lenet(), TORCHVISION, "lenet_small")
