"""Costs against formulas by hand, and the criterion in all its rules."""

from typing import Any

import pytest
import torch
from torch import nn

from stages.measuring.cost import saved_bytes
from stages.measuring.criterion import judge, threshold
from stages.measuring.macs import macs_of
from stages.measuring.parameters import count_parameters
from stages.networks.espcn import ESPCN
from stages.networks.saved import About, save_network
from stages.settings import Criterion
from stages.tasks.quality import Quality

HIGHER = Quality("psnr_db", "Y-PSNR", "dB", higher_is_better=True)
LOWER = Quality("error", "Error", "%", higher_is_better=False)


@pytest.mark.parametrize(
    ("layer", "shape", "parameters", "macs"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 12), 3 * 8 * 9 + 8, 3 * 8 * 9 * 120),
        (nn.Conv2d(3, 8, 3, stride=2), (1, 3, 11, 13), 3 * 8 * 9 + 8, 3 * 8 * 9 * 5 * 6),
        (nn.Conv2d(4, 8, 3, padding=1, groups=2), (1, 4, 10, 12), 2 * 8 * 9 + 8, 2 * 8 * 9 * 120),
        (nn.Conv2d(6, 6, (1, 5), groups=6, bias=False), (2, 6, 4, 9), 6 * 5, 2 * 6 * 5 * 4 * 5),
        (nn.ConvTranspose2d(4, 2, 2, stride=2), (1, 4, 5, 6), 4 * 2 * 4 + 2, 4 * 2 * 4 * 30),
        (nn.Linear(7, 5), (3, 7), 7 * 5 + 5, 3 * 7 * 5),
        (nn.Linear(7, 5, bias=False), (2, 3, 7), 7 * 5, 2 * 3 * 7 * 5),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4)), (1, 4, 5, 5), 8, 0),
    ],
)
def test_costs_of_layers(
    layer: nn.Module, shape: tuple[int, ...], parameters: int, macs: int
) -> None:
    assert count_parameters(layer) == parameters
    assert macs_of(layer, shape).count == macs


def test_costs_of_a_network() -> None:
    network = ESPCN(width=8, scale=2)
    per_pixel = 1 * 8 * 25 + 8 * 4 * 9 + 4 * 4 * 9
    assert count_parameters(network) == per_pixel + 8 + 4 + 4
    assert macs_of(network, (1, 1, 540, 960)).count == per_pixel * 540 * 960


def test_counting_leaves_the_network_as_it_was() -> None:
    network = ESPCN(8).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    macs_of(network, (1, 1, 8, 8))
    assert network.training
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())


def test_shared_parameters_count_once_but_work_twice() -> None:
    layer = nn.Linear(4, 4)
    twice = nn.Sequential(layer, nn.ReLU(), layer)
    assert (count_parameters(twice), macs_of(twice, (1, 4)).count) == (20, 32)
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    assert count_parameters(tied) == 16 + 4 + 4


def test_saved_bytes_are_those_of_the_weights(tmp_path: Any) -> None:
    network = ESPCN(8)
    save_network(tmp_path, network, About("espcn", {"width": 8}, (1, 1, 8, 8)))
    content = 4 * count_parameters(network)
    assert content < saved_bytes(tmp_path) < content + 1000


@pytest.mark.parametrize(
    ("rule", "limit", "quality", "dense", "baseline", "wanted"),
    [
        ("drop", 0.5, HIGHER, 30.0, 25.0, 29.5),
        ("drop", 0.5, LOWER, 10.0, 20.0, 10.5),
        ("drop", 0.0, HIGHER, 30.0, 25.0, 30.0),
        ("share", 0.5, HIGHER, 30.0, 25.0, 15.0),
        ("share", 0.5, LOWER, 10.0, 20.0, 20.0),
        ("share", 1.0, LOWER, 10.0, 20.0, 10.0),
        ("gain", 0.75, HIGHER, 29.0, 25.0, 28.0),
        ("gain", 0.75, LOWER, 12.0, 20.0, 14.0),
        ("gain", 1.0, HIGHER, 29.0, 25.0, 29.0),
    ],
)
def test_the_criterion_holds_up_to_its_threshold(
    rule: Any, limit: float, quality: Quality, dense: float, baseline: float, wanted: float
) -> None:
    criterion, worse = Criterion(rule=rule, limit=limit), -1 if quality.higher_is_better else 1
    assert threshold(criterion, quality, dense, baseline) == pytest.approx(wanted)
    assert judge(criterion, quality, wanted, dense, baseline)[0]
    assert judge(criterion, quality, wanted - 0.01 * worse, dense, baseline)[0]
    assert judge(criterion, quality, dense, dense, baseline)[0]
    keeps, reason = judge(criterion, quality, wanted + 0.01 * worse, dense, baseline)
    assert not keeps
    assert all(f"{v:.3f}" in reason for v in (wanted, wanted + 0.01 * worse, dense))
    assert quality.unit in reason


def test_a_quality_that_is_no_number_keeps_no_criterion() -> None:
    for quality in (HIGHER, LOWER):
        criterion = Criterion(rule="drop", limit=0.5)
        keeps, reason = judge(criterion, quality, float("nan"), 30.0, 25.0)
        assert not keeps, reason


def test_drop_and_better_follow_the_direction_of_quality() -> None:
    assert HIGHER.better(2, 1)
    assert LOWER.better(1, 2)
    for quality in (HIGHER, LOWER):
        assert not quality.better(1, 1)
        assert quality.better(1, 2) != quality.better(2, 1)
    assert (HIGHER.drop(30, 29), LOWER.drop(30, 29)) == (1, -1)
