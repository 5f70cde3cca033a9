"""Latency: turns, quartiles, and an end in sight."""

import time
from typing import Any

import pytest
import torch
from torch import nn

from stages.figures.times import compared, within_spread
from stages.measuring.latency import LEAST, measure_latency


class Counting(nn.Module):
    """Counts its forward passes, in the order of all networks, and takes its time."""

    def __init__(self, name: str, order: list[str], seconds: float = 0.0):
        super().__init__()
        self.layer, self.name, self.order = nn.Linear(4, 4), name, order
        self.seconds = seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape == (2, 4)
        self.order.append(self.name)
        time.sleep(self.seconds)
        return self.layer(x)


def test_latency_is_measured_in_turns_for_all_networks() -> None:
    order: list[str] = []
    networks = {"fast": Counting("fast", order), "slow": Counting("slow", order, 0.02)}
    times = measure_latency(networks, (2, 4), runs=3)
    assert list(times) == ["fast", "slow"]
    assert order == ["fast", "slow"] * 4  # one turn more, to warm up
    assert 0 < times["fast"].median_ms < times["slow"].median_ms
    assert times["slow"].low_ms >= 20


def test_the_first_turn_is_not_counted() -> None:
    network = Counting("slow at first", [], seconds=0.2)
    network.register_forward_hook(lambda *_: setattr(network, "seconds", 0.0))
    assert measure_latency({"it": network}, (2, 4), runs=1)["it"].median_ms < 100


def test_latency_carries_its_quartiles() -> None:
    """Of runs of 0, 10, 20, 30 and 40 ms."""
    network = Counting("ever slower", [])
    network.register_forward_hook(
        lambda *_: setattr(network, "seconds", 0.01 * (len(network.order) - 1))
    )
    found = measure_latency({"it": network}, (2, 4), runs=5)["it"]
    assert found.runs == 5
    times = (found.least_ms, found.low_ms, found.median_ms, found.high_ms)
    for value, least in zip(times, (0, 10, 20, 30), strict=True):
        assert least <= value < least + 8
    columns = found.columns("dense_")
    assert columns["dense_latency_ms"] == found.median_ms
    assert columns["dense_latency_low_ms"] == found.low_ms
    assert columns["dense_latency_high_ms"] == found.high_ms


@pytest.mark.parametrize(("seconds", "taken"), [(0.05, LEAST), (60.0, 21)])
def test_long_runs_are_fewer(seconds: float, taken: int) -> None:
    networks = {"it": Counting("it", [], seconds=0.02)}
    assert measure_latency(networks, (2, 4), 21, seconds)["it"].runs == taken


def test_by_default_short_runs_are_many(repository_tree: dict[str, Any]) -> None:
    for evaluation in repository_tree["evaluation"].values():
        assert evaluation["latency_runs"] >= 20


def timed(median: float, low: float, high: float) -> dict[str, float]:
    return {"latency_ms": median, "latency_low_ms": low, "latency_high_ms": high}


def test_a_difference_within_the_spread_is_no_gain() -> None:
    dense, alike, faster = timed(10, 9, 11), timed(9, 8.5, 9.5), timed(5, 4, 6)
    assert within_spread(alike, dense)
    assert within_spread(dense, alike)
    assert not within_spread(faster, dense)
    assert not within_spread(dense, faster)
    assert "no difference in time beyond the spread" in compared(alike, dense)
    assert "0.90" not in compared(alike, dense)
    assert compared(faster, dense).startswith("takes 0.50 of its time")
    assert "5.00 (4.00 to 6.00) ms against 10.00 (9.00 to 11.00) ms" in compared(faster, dense)
