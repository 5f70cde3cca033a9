"""Classifiers: what they give, how they are found by name, that they prune exactly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stages.channels.masking import mask_channels
from stages.channels.proof import relative_error
from stages.channels.removal import remove_channels
from stages.dependency.build import build_graph
from stages.networks.build import ZOO, build_network, last_layer, resolve
from stages.networks.lenet import LeNetSmall
from stages.networks.saved import About, load_network, save_network
from stages.networks.zoo import torchvision_classifier

OFFERED: dict[str, Any] = {"classes": 5, "input_shape": [3, 64, 64]}
LAST = {"alexnet": "classifier.6", "resnet18": "fc", "squeezenet1_0": "classifier.1",
        "googlenet": "fc"}  # fmt: skip
SHAPES = {"lenet_small": (1, 28, 28), "residual_signal": (2, 512), "residual_picture": (1, 64, 64)}
LENET = "stages.networks.lenet:LeNetSmall"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def ours(name: str, classes: int) -> tuple[nn.Module, About]:
    """One of our networks with batch-norm statistics of its own."""
    factory, arguments = resolve(name, {}, {"classes": classes, "input_shape": SHAPES[name]})
    network = build_network(factory, arguments)
    with torch.no_grad():
        for _ in range(2):
            network.train()(torch.randn(4, *SHAPES[name]))
    return network.eval(), About(factory, arguments, (1, *SHAPES[name]))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_small_lenet_has_as_many_parameters_as_matlabs() -> None:
    assert count(LeNetSmall(10, (1, 28, 28))) == 21_578


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 28, 28), (1, 33, 50), (2, 4, 7)])
def test_the_small_lenet_takes_other_sizes_and_colours(shape: tuple[int, int, int]) -> None:
    scores = LeNetSmall(6, shape)(torch.randn(3, *shape))
    assert scores.shape == (3, 6)
    assert not torch.equal(scores[0], scores[1])


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("classes", [2, 11])
def test_ours_give_a_score_for_every_class(name: str, classes: int) -> None:
    scores = ours(name, classes)[0](torch.randn(3, *SHAPES[name]))
    assert scores.shape == (3, classes)
    assert scores.isfinite().all()
    assert not torch.equal(scores[0], scores[1])


@pytest.mark.parametrize(("name", "length"), [("residual_signal", 100), ("residual_picture", 50)])
def test_residual_ones_take_other_sizes_than_they_were_made_for(name: str, length: int) -> None:
    channels, *axes = SHAPES[name]
    assert ours(name, 4)[0](torch.randn(2, channels, *[length] * len(axes))).shape == (2, 4)


@pytest.mark.parametrize("name", SHAPES)
def test_pruned_ones_are_exact_and_come_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    network, about = ours(name, 4)
    save_network(tmp_path, network, about)
    masked, graph = load_network(tmp_path)[0], build_graph(network, about.example_shape)
    made = {part.tensor for group in graph.groups for part in group.slices if part.axis == 0}
    assert {n for n, p in network.named_parameters() if p.dim() > 2} <= made  # each convolution
    removed = {group.name: np.arange(group.units // 2) for group in graph.groups}
    mask_channels(masked, graph, removed)
    remove_channels(network, graph, removed)
    assert count(network) < 0.6 * count(masked)
    save_network(tmp_path, network, about)
    loaded, loaded_about = load_network(tmp_path)
    x = torch.randn(5, *SHAPES[name])
    with torch.no_grad():
        assert torch.equal(loaded(x), network(x))
        assert relative_error(network(x), masked(x)) < 1e-5
    assert (count(loaded), loaded_about.factory) == (count(network), about.factory)


def test_widths_and_strides_that_do_not_go_together_are_refused(refused: Any) -> None:
    with refused("widths", "strides"):
        build_network("residual_signal", {"classes": 2, "input_shape": [2, 64], "strides": [1, 2]})


@pytest.mark.parametrize(
    ("factory", "arguments", "path", "all_arguments"),
    [
        ("lenet_small", {}, LENET, OFFERED),
        (LENET, {}, LENET, OFFERED),
        ("residual_signal", {"classes": 4, "kernel": 5}, "stages.networks.residual:residual_signal",
         {"classes": 4, "kernel": 5, "input_shape": [3, 64, 64]}),
        ("drln", {"width": 4}, "stages.networks.drln:DRLN", {"width": 4}),
        ("resnet18", {}, ZOO, {"name": "resnet18", **OFFERED}),
        ("resnet18", {"classes": 9}, ZOO, {"name": "resnet18", **OFFERED, "classes": 9}),
        ("torch.nn:Flatten", {"start_dim": 2}, "torch.nn:Flatten", {"start_dim": 2}),
    ],
)  # fmt: skip
def test_what_the_data_offer_goes_where_it_is_wanted_and_not_given(
    factory: str, arguments: dict[str, Any], path: str, all_arguments: dict[str, Any]
) -> None:
    before = dict(arguments)
    assert resolve(factory, arguments, OFFERED) == (path, all_arguments)
    assert arguments == before


@pytest.mark.parametrize("name", ["resnet19", "", "Lenet_small", "fasterrcnn_resnet50_fpn"])
def test_unknown_names_are_refused(refused: Any, name: str) -> None:
    with refused(repr(name), "lenet_small", "torchvision", "package.module:factory"):
        resolve(name, {}, OFFERED)


@pytest.mark.parametrize("path", ["math:pi", "builtins:dict"])
def test_what_shows_no_parameters_is_refused(refused: Any, path: str) -> None:
    with refused(path):
        build_network(*resolve(path, {}, OFFERED))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n == "alexnet" else []) for n in LAST]
)
def test_torchvision_classifiers_get_a_head_for_the_classes(name: str) -> None:
    network = build_network(*resolve(name, {}, OFFERED))
    assert last_layer(network) == LAST[name]
    for mode in (True, False):  # googlenet's second head must not show in training either
        assert network.train(mode)(torch.randn(2, 3, 64, 64)).shape == (2, 5)


def test_torchvision_classifiers_take_options() -> None:
    network = build_network(*resolve("squeezenet1_0", {"dropout": 0.125}, OFFERED))
    assert network.classifier[0].p == 0.125


def test_options_that_torchvision_does_not_know_are_refused(refused: Any) -> None:
    with refused("dropuot"):
        build_network(*resolve("squeezenet1_0", {"dropuot": 0.1}, OFFERED))


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 512)])
def test_torchvision_classifiers_refuse_data_without_colour(
    refused: Any, shape: tuple[int, ...]
) -> None:
    hint = "set data.classification.pictures.channels to 3"
    with refused("resnet18", f"the data have {shape[0]}", hint):
        torchvision_classifier("resnet18", 5, shape)
