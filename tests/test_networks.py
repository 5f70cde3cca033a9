"""Building networks, starting weights, and models that come back from disk as they were."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stages.channels.removal import remove_channels
from stages.dependency.build import build_graph
from stages.networks.build import build_network
from stages.networks.saved import About, load_network, save_network
from stages.training.initial_weights import load_weights

SMALL: dict[str, dict[str, Any]] = {"drln": {"width": 4, "modules": 1}, "espcn": {"width": 6}}

OWN = """
import torch
from torch import nn

class Normed(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width)
        self.depth = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.act, self.last = nn.PReLU(width), nn.Conv2d(width, 1, 1)

    def forward(self, x):
        return self.last(self.act(self.depth(self.norm(self.first(x)))))

class Tied(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.first, self.inner = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, width, 1)
        self.again, self.last = nn.Conv2d(width, width, 1), nn.Conv2d(width, 1, 1)
        self.again.weight = self.inner.weight

    def forward(self, x):
        return self.last(torch.relu(self.again(torch.relu(self.inner(torch.relu(self.first(x)))))))

def no_network(): return 3
def two_lines(): raise ValueError("first\\nsecond")
def asserts(): assert False, "width must be even"
class Nested: make = Tied
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder holds modules that are not on the import path yet."""
    (tmp_path / "own_networks.py").write_text(OWN)
    (tmp_path / "own_broken.py").write_text("def make(:\n")
    (tmp_path / "own_raising.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("own_networks", "own_broken", "own_raising"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("factory", SMALL)
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(16, 16), (17, 23)])
def test_outputs_are_so_many_times_larger(factory: str, scale: int, size: tuple[int, int]) -> None:
    network = build_network(factory, SMALL[factory] | {"scale": scale}).eval()
    with torch.no_grad():
        output = network(torch.rand(2, 1, *size))
    assert output.shape == (2, 1, scale * size[0], scale * size[1])
    assert output.isfinite().all()
    assert not torch.equal(output[0], output[1])


def test_an_own_network_is_found_in_the_current_folder(own: Path) -> None:
    network = build_network("own_networks:Normed", {"width": 3})
    assert (type(network).__name__, network.first.out_channels) == ("Normed", 3)


@pytest.mark.parametrize(
    ("factory", "arguments", "words"),
    [
        ("drlm", {}, ["'drlm'", "drln", "espcn"]),
        ("nowhere.at_all:Net", {}, ["nowhere"]),
        ("own_networks:Missing", {}, ["Missing"]),
        ("own_networks:", {}, ["own_networks:"]),
        (":Tied", {}, [":Tied"]),
        (".own_networks:Tied", {}, [".own_networks:Tied"]),
        ("own_broken:make", {}, ["own_broken", "line 1"]),
        ("own_raising:make", {}, ["own_raising", "no licence"]),
        ("espcn", {"widht": 8}, ["espcn", "widht"]),
        ("drln", {"width": -1}, ["drln", "-1"]),
        ("espcn", {"width": "wide"}, ["espcn", "wide"]),
        ("own_networks:no_network", {}, ["int", "nn.Module"]),
        ("own_networks:two_lines", {}, ["first", "second"]),
        ("own_networks:asserts", {}, ["width must be even"]),
    ],
)
def test_networks_that_cannot_be_built_are_refused(
    own: Path, refused: Any, factory: str, arguments: dict[str, Any], words: list[str]
) -> None:
    with refused(*words):
        build_network(factory, arguments)


def write_weights(path: Path, tensors: dict[Any, Any]) -> Path:
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_starting_weights_are_loaded(tmp_path: Path, suffix: str) -> None:
    source, target = (build_network("espcn", {"width": 6}) for _ in range(2))
    load_weights(target, write_weights(tmp_path / f"w{suffix}", source.state_dict()))
    assert all(torch.equal(target.state_dict()[n], t) for n, t in source.state_dict().items())


@pytest.mark.parametrize("key", ["state_dict", "model", "params"])
def test_wrapped_starting_weights_are_loaded(tmp_path: Path, key: str) -> None:
    source, target = (build_network("espcn", {"width": 6}) for _ in range(2))
    load_weights(target, write_weights(tmp_path / "w.pth", {"epoch": 3, key: source.state_dict()}))
    assert torch.equal(target.third.weight, source.third.weight)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_that_do_not_fit_are_listed(tmp_path: Path, refused: Any, suffix: str) -> None:
    network = build_network("espcn", {"width": 6})
    state = dict(network.state_dict())
    state["other.bias"], state["second.bias"] = state.pop("first.bias"), torch.zeros(4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path = write_weights(tmp_path / f"w{suffix}", state)
    wrong = "wrong shape: second.bias [4] instead of [3]"
    with refused(path, "missing: first.bias", "unexpected: other.bias", wrong):
        load_weights(network, path)
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())


class Evil:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize("content", [{"first.weight": Evil()}, Evil(), nn.Linear(1, 1)])
def test_a_pickle_with_code_is_refused(own: Path, refused: Any, content: Any) -> None:
    torch.save(content, own / "w.pth")
    with refused("w.pth"):
        load_weights(build_network("espcn", {}), Path("w.pth"))
    assert not (own / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"hello world, no weights", b"\x80\x02}", b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_without_weights_is_refused(
    tmp_path: Path, refused: Any, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with refused(tmp_path / name):
        load_weights(nn.Linear(1, 1), tmp_path / name)


@pytest.mark.parametrize("content", [[torch.zeros(1)], {0: torch.zeros(1)}, {"a": 1}, {}])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, refused: Any, content: Any) -> None:
    with refused("w.pth"):
        load_weights(nn.Linear(1, 1), write_weights(tmp_path / "w.pth", content))


def test_missing_weights_are_refused(tmp_path: Path, refused: Any) -> None:
    with refused("none.pth", "network.weights"):
        load_weights(nn.Linear(1, 1), tmp_path / "none.pth")


def trained(factory: str, pruned: bool) -> nn.Module:
    """A network with statistics of its own, every second unit of every group taken out."""
    network = build_network(factory, SMALL.get(factory, {}))
    with torch.no_grad():
        for _ in range(2):
            network.train()(torch.rand(2, 1, 8, 8))
    if pruned:
        graph = build_graph(network, (1, 1, 8, 8))
        assert graph.groups
        units = {group.name: np.arange(0, group.units // 2) for group in graph.groups}
        remove_channels(network, graph, units)
    return network.eval()


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("factory", [*SMALL, "own_networks:Normed", "own_networks:Tied"])
def test_a_saved_network_comes_back_bit_for_bit(own: Path, factory: str, pruned: bool) -> None:
    network = trained(factory, pruned)
    about = About(factory, SMALL.get(factory, {}), (1, 1, 8, 8), ("a",), 3, {"g": "0:2:1"})
    save_network(own, network, about)
    loaded, loaded_about = load_network(own, [factory])
    example = torch.rand(3, 1, 9, 11)
    with torch.no_grad():
        assert torch.equal(loaded(example), network(example))
    state = loaded.state_dict()
    assert {n: t.shape for n, t in state.items()} == {
        n: t.shape for n, t in network.state_dict().items()
    }
    assert all(torch.equal(state[n], t) for n, t in network.state_dict().items())
    assert (loaded_about, loaded.training) == (about, False)
    assert all(p.requires_grad for p in loaded.parameters())
    count = sum(p.numel() for p in loaded.parameters())
    whole = sum(p.numel() for p in build_network(factory, SMALL.get(factory, {})).parameters())
    assert count == sum(p.numel() for p in network.parameters())
    assert (count < whole) == pruned


def test_tied_weights_stay_tied(own: Path) -> None:
    save_network(own, trained("own_networks:Tied", True), About("own_networks:Tied", {}, (1,)))
    loaded, _ = load_network(own, ["own_networks"])
    assert loaded.again.weight is loaded.inner.weight
    assert loaded.again.weight.shape == (3, 3, 1, 1)


def test_layers_say_their_new_sizes(own: Path) -> None:
    save_network(own, trained("own_networks:Normed", True), About("own_networks:Normed", {}, (1,)))
    loaded, _ = load_network(own, ["own_networks"])
    depth, sizes = loaded.depth, (loaded.norm.num_features, loaded.act.num_parameters)
    assert (loaded.first.out_channels, *sizes) == (3, 3, 3)
    assert (depth.in_channels, depth.out_channels, depth.groups) == (3, 3, 3)
    assert (loaded.last.in_channels, loaded.last.out_channels) == (3, 1)
