"""What could fail late fails in `graph` or `schedule`, before anything is coded or trained."""

import errno
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from torch import nn

from stages import artifacts, graph, prepare, schedule
from stages.measuring.memory import largest_tensor_bytes, refuse_little_space, refuse_too_large
from tests.conftest import Refused, WriteParams
from tests.tiny import set_dotted

ROOT = Path(__file__).parents[1]
STAGES: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
OWN = """
import torch
from torch import nn
from torch.nn.utils import prune

def layers(scale, first=None):
    first = first or nn.Conv2d(1, 4, 3, padding=1)
    last = nn.Conv2d(4, scale**2, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), last, nn.PixelShuffle(scale))

def lazy(scale):
    return layers(scale, nn.LazyConv2d(4, 3, padding=1))

def script(scale):
    return torch.jit.script(layers(scale))

def masked(scale):
    made = layers(scale)
    prune.l1_unstructured(made[0], "weight", 0.5)
    return made

def frozen(scale):
    return layers(scale).requires_grad_(False)

def parameterless(scale):
    return nn.Upsample(scale_factor=scale)

class Drawn(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.inner, self.gain = layers(scale), torch.rand(1)

    def forward(self, x):
        return self.gain * self.inner(x)

class Uncopied(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.inner, self.lock = layers(scale), (i for i in range(3))

    def forward(self, x):
        return self.inner(x)
"""
FACTORY, ARGUMENTS = "network.upsampling.factory", "network.upsampling.arguments"
LATE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "lazy": ({FACTORY: "mine:lazy"}, ["0.weight", "no shape yet"]),
    "TorchScript": ({FACTORY: "mine:script"}, ["TorchScript"]),
    "masks of torch.nn.utils.prune": ({FACTORY: "mine:masked"}, ["torch.nn.utils.prune", "remove"]),
    "nothing to train": ({FACTORY: "mine:frozen"}, ["no parameter that can be trained"]),
    "no parameters": ({FACTORY: "mine:parameterless"}, ["no parameter that can be trained"]),
    "what is not saved": ({FACTORY: "mine:Drawn"}, ["saved and loaded", "register_buffer"]),
    "no copy": ({FACTORY: "mine:Uncopied"}, ["cannot be copied"]),
    "no file of weights": (
        {"network.upsampling.weights": "models/initial/none.pth"},
        ["models/initial/none.pth", "missing"],
    ),
    "a target out of reach": (
        {"pruning.target": 0.99, "pruning.minimum_channels": 3},
        ["0.99 of parameters cannot go", "at most can"],
    ),
    "an explicit share out of reach": (
        {"pruning.schedule": "explicit", "pruning.shares": {"step1": 0.3, "step2": 0.99}},
        ["0.99 of parameters cannot go"],
    ),
    "a frame beyond memory": (
        {"evaluation.upsampling.latency_frame": [100000, 100000]}, ["latency", "GiB", "lower it"],
    ),
    "a seed beyond all": ({"seed": 2**80}, ["seed", "less than"]),
    "half precision on a CPU": (
        {"training.device": "cpu", "training.precision": "fp16"},
        ["training.precision fp16", "bf16"],
    ),
}  # fmt: skip


def test_what_is_long_waits_for_them() -> None:
    first = artifacts.REACHABLE.as_posix()
    assert first in STAGES["encode"]["do"]["deps"]
    assert first in STAGES["finetune"]["deps"]
    assert artifacts.GRAPH.as_posix() in STAGES["schedule"]["deps"]
    trained = {"models/dense", "models/pruned"}
    for early in ("prepare", "graph", "schedule"):
        assert not trained & set(STAGES[early]["deps"]), early


@pytest.fixture
def own(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared data, and networks of the user's own."""
    folder = Path("models/own")
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "mine", raising=False)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("what", LATE)
def test_it_fails_before_the_work(
    what: str, tree: dict[str, Any], write_params: WriteParams, refused: Refused
) -> None:
    values, words = LATE[what]
    for name, value in (values | ({ARGUMENTS: {}} if FACTORY in values else {})).items():
        set_dotted(tree, name, value)
    write_params(tree)
    with refused(*words):
        graph.main()
        schedule.main()
    assert not artifacts.SCHEDULE.exists()


@pytest.mark.usefixtures("own")
def test_what_can_run_is_started_as_training_will_find_it() -> None:
    graph.main()
    schedule.main()
    assert artifacts.read_json(artifacts.REACHABLE) == {"reachable": True}
    assert (artifacts.START / artifacts.WEIGHTS).is_file()


def test_the_largest_tensor_is_known_without_making_it() -> None:
    network = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 1, 3, padding=1))
    assert largest_tensor_bytes(network, (1, 1, 100, 50)) == 4 * 16 * 100 * 50
    assert largest_tensor_bytes(network, (1, 1, 10**6, 10**6)) == 4 * 16 * 10**12


def test_an_input_that_fits_is_not_refused(refused: Refused) -> None:
    network, cpu = nn.Conv2d(1, 1, 3), torch.device("cpu")
    refuse_too_large(network, (1, 1, 64, 64), cpu, "frame")
    with refused("frame", "GiB", "(1, 1, 1000000, 1000000)"):
        refuse_too_large(network, (1, 1, 10**6, 10**6), cpu, "frame")


def test_folders_that_cannot_be_written_to_are_told_first(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    def read_only(dir: Path) -> Any:
        if Path(dir) == Path("models"):
            raise OSError(errno.EROFS, "Read-only file system")
        return tempfile.SpooledTemporaryFile()

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    with refused("models/", "Read-only file system"):
        prepare.main()
    assert not artifacts.PREPARED.exists()


def test_a_file_in_the_place_of_a_folder_is_told_first(workspace: Path, refused: Refused) -> None:
    Path("models").write_text("mine")
    with refused("models/", "cannot be written to"):
        prepare.main()


def test_too_little_space_is_told(refused: Refused) -> None:
    refuse_little_space(nn.Linear(1, 1), 1)
    with refused("GiB", "make room"):
        refuse_little_space(nn.Linear(1, 1), 2**70)
