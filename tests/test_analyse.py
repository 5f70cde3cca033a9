"""Analysis before anything is trained: floors that removal reaches, and an answer with a status."""

import pytest

from stages import analyse
from stages.channels.budget import smallest_reachable
from stages.channels.floor import all_but
from stages.channels.portions import Limits
from stages.channels.prices import prices_of
from stages.channels.removal import parameter_shapes, remove_channels, tensor_shapes
from stages.measuring.prices import network_prices
from tests.dependency.cases import CASES, network_of, prepared

DENSE = {"parameters": 1000, "macs": 50_000, "bytes": 4200}
FLOOR = {"parameters": 100, "macs": 20_000, "bytes": 800}


@pytest.mark.parametrize(
    ("goal", "target", "met"),
    [
        ("parameters", 0.9, True),
        ("parameters", 0.901, False),
        ("macs", 0.6, True),
        ("macs", 20_000, True),
        ("macs", 19_999, False),
        ("bytes", 4200, True),
    ],
)
def test_the_answer_is_exact_at_the_floor(goal: str, target: float, met: bool) -> None:
    told, found = analyse.answer(goal, target, DENSE, FLOOR)  # type: ignore[arg-type]
    assert found == met
    assert len(told.splitlines()) == 1
    if not met:
        assert "cannot be met" in told
        assert f"{FLOOR[goal]:,} {goal} of {DENSE[goal]:,} {goal}" in told


@pytest.mark.parametrize("goal", ["parameters", "macs"])
@pytest.mark.parametrize("name", ["drln w12 m1 s4", "grouped", "batch norm", "signal"])
def test_the_floor_is_the_one_that_schedule_refuses_below(name: str, goal: str) -> None:
    network, (_, graph) = network_of(name), prepared(name)
    shape, shapes = CASES[name].shape, tensor_shapes(network)
    prices = prices_of(goal, parameter_shapes(network), network_prices(network, 0, shape))  # type: ignore[arg-type]
    least = smallest_reachable(graph, shapes, Limits(minimum=2), prices)
    remove_channels(network, graph, all_but(graph, 2))
    assert prices.cost(tensor_shapes(network)) == least


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["analyse", "espcn", "--arguments", '{"width": 8, "scale": 2}',
                                     "--shape", "1", "1", "16", "16", *words])  # fmt: skip
    try:
        analyse.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_command_tells_all_and_ends_with_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--goal", "macs", "--target", "0.5") == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[1:4]] == ["parameters", "macs", "bytes"]
    assert said.splitlines()[4].startswith("time in torch ")
    assert said.splitlines()[4].count(" ms ") == 2
    assert "frozen: it reaches the network's input" in said
    assert said.splitlines()[-1].startswith("macs: a share of 0.5 can be met")

    assert run(monkeypatch, "--goal", "macs", "--target", "0.999") == 1
    assert "cannot be met" in capsys.readouterr().out.splitlines()[-1]

    assert run(monkeypatch, "--goal", "time", "--target", "1e4", "--runtime", "onnx") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("time: down to 10,000.000 ms needs no pruning")
    assert run(monkeypatch, "--goal", "time", "--target", "0.9999") == 1

    assert run(monkeypatch) == 0


def test_bad_numbers_are_refused(monkeypatch: pytest.MonkeyPatch, refused) -> None:  # type: ignore[no-untyped-def]
    with refused("--target", "above 0"):
        run(monkeypatch, "--target", "-1")
    with refused("--minimum", "at least 1"):
        run(monkeypatch, "--minimum", "0")
