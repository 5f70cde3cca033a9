"""Time as a goal: settings, the table's machine, and removal that is set right by measuring."""

import copy
from dataclasses import dataclass
from typing import Any, cast

import pytest
import torch
from torch import nn

from stages import artifacts, costs, graph, schedule
from stages.channels.importance import unit_importance
from stages.channels.prices import prices_of
from stages.channels.removal import parameter_shapes, tensor_shapes
from stages.cost_table import cost_table
from stages.dependency.build import build_graph
from stages.networks.espcn import ESPCN
from stages.networks.saved import About
from stages.select import smallest_that_keeps
from stages.settings import load_settings
from stages.step_model import StepModel, choose_for, without
from stages.time_budget import NEAR, Timing, budget_as_measured
from tests.conftest import Refused, WriteParams

SHAPE = (1, 1, 128, 128)
TIME = {"goal": "time", "round_to": 1, "target": 0.2}


def write(tree: dict[str, Any], write_params: WriteParams, **pruning: Any) -> None:
    tree["pruning"] |= pruning
    tree["costs"]["runtime"] = "torch"
    tree["evaluation"]["upsampling"]["latency_frame"] = list(SHAPE[2:])
    write_params(tree)


@pytest.mark.usefixtures("prepared")
def test_nothing_is_measured_unless_time_or_widths_ask_for_it() -> None:
    costs.main()
    assert artifacts.read_json(artifacts.COSTS).keys() == {"unused"}
    assert cost_table(load_settings()) == {}


@pytest.mark.usefixtures("prepared")
def test_a_table_holds_for_its_machine_alone(
    tree: dict[str, Any], write_params: WriteParams, refused: Refused
) -> None:
    write(tree, write_params, **TIME)
    graph.main()
    costs.main()
    table = cost_table(load_settings())
    assert table["machine"]["threads"] == torch.get_num_threads()
    assert len(table["measured_ns"]) == len(table["predicted_ns"]) > 4
    schedule.main()
    planned = artifacts.read_json(artifacts.prune_schedule("step2"))
    assert planned["budget"] == pytest.approx(0.8 * planned["initial"], abs=1)
    assert planned["shape"] == list(SHAPE)
    other = table | {"machine": table["machine"] | {"threads": 64}}
    artifacts.write_json(artifacts.COSTS, other)
    with refused("models/costs.json", "64 threads", "dvc repro -f -s costs"):
        schedule.main()


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("kind", ["even", "explicit"])
def test_a_bound_is_compared_in_ms_only_where_it_is_read(
    tree: dict[str, Any], write_params: WriteParams, kind: str
) -> None:
    write(tree, write_params, **TIME)
    graph.main()
    costs.main()
    dense_ms = artifacts.read_json(artifacts.COSTS)["predicted_ns"][0] / 1e6
    shares = {"step1": 0.1, "step2": 0.2}
    asked = {"target": {"time_ms": 0.8 * dense_ms}, "schedule": kind, "shares": shares}
    write(tree, write_params, **asked)
    schedule.main()
    planned = artifacts.read_json(artifacts.prune_schedule("step2"))
    assert planned["absolute"] == (kind == "even")


@pytest.mark.usefixtures("prepared")
def test_multiples_that_pay_give_way_to_the_goal(
    tree: dict[str, Any], write_params: WriteParams
) -> None:
    """With half of every group at most, a share of 0.85 could not be reached."""
    write(tree, write_params, goal="parameters", round_to="auto", target=0.85, minimum_channels=1)
    graph.main()
    costs.main()
    table = artifacts.read_json(artifacts.COSTS)
    multiples = dict.fromkeys(table["multiples"], 4)
    artifacts.write_json(artifacts.COSTS, table | {"multiples": multiples})
    schedule.main()
    found = artifacts.read_json(artifacts.prune_schedule("step2"))["round_to"]
    assert found.keys() == multiples.keys()
    assert max(found.values()) < 4
    write(tree, write_params, target=0.3)
    schedule.main()
    assert artifacts.read_json(artifacts.prune_schedule("step2"))["round_to"] == multiples


@pytest.mark.parametrize(
    ("pruning", "words"),
    [
        ({"goal": "time", "target": {"macs": 3e9}}, ["a bound of macs", "goal: macs"]),
        ({"goal": "time", "target": {"time": 3}}, ["parameters, macs, bytes, time_ms"]),
        ({"round_to": "always"}, ["pruning.round_to"]),
        ({"round_to": 0}, ["pruning.round_to"]),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tree: dict[str, Any], write_params: WriteParams, refused: Refused, pruning: Any, words: Any
) -> None:
    tree["pruning"] |= pruning
    with refused(*words):
        load_settings(write_params(tree))


def test_time_in_a_runtime_of_exports_needs_exports(
    tree: dict[str, Any], write_params: WriteParams, refused: Refused
) -> None:
    tree["pruning"] |= {"goal": "time", "target": {"time_ms": 2}}
    tree["exports"]["enabled"] = False
    with refused("exports.enabled: true"):
        load_settings(write_params(tree))
    tree["costs"]["runtime"] = "torch_channels_last"
    target: Any = load_settings(write_params(tree)).pruning.target
    assert (target.of, target.most) == ("time", 2)


@dataclass
class Fake:
    """A machine on which networks take other times than the table says."""

    model: StepModel
    planned: dict[str, Any]
    factor: float
    measured: int = 0

    def of(self, network: nn.Module) -> int:
        self.measured += 1
        prices = prices_of("time", parameter_shapes(network), self.planned["prices"])
        return round(self.factor * prices.cost(tensor_shapes(network)) + 3000)


@pytest.fixture
def planned() -> tuple[StepModel, dict[str, Any]]:
    """A network whose time is that of its weights' elements."""
    torch.manual_seed(0)
    network = ESPCN(96, 2)
    graph = build_graph(network, (1, 1, 8, 8))
    elements = dict.fromkeys(parameter_shapes(network), 10.0)
    asked = {"goal": "time", "scope": "global", "minimum": 1, "round_to": 1, "protect": [],
             "prices": {"time": {"elements": elements, "rest": 0.0}}}  # fmt: skip
    return StepModel(network, About("f", {}, SHAPE), graph, graph), asked


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
def test_the_table_is_asked_for_what_takes_the_time_that_was_asked(
    planned: tuple[StepModel, dict[str, Any]], factor: float
) -> None:
    model, asked = planned
    importance = unit_importance(model.network, model.graph, "norm2")
    initial = prices_of("time", {}, asked["prices"]).cost(tensor_shapes(model.network))
    machine, budget = Fake(model, asked, factor), round(0.4 * initial)
    found = budget_as_measured(model, importance, asked, budget, cast(Timing, machine))
    assert machine.measured <= 5
    left = without(model, choose_for(model, importance, asked, found))
    assert machine.of(left) == pytest.approx(budget, rel=2 * NEAR), "a unit is 0.03 of it"


class Steep(Fake):
    """A machine on which time falls with the third power of what the table says."""

    def of(self, network: nn.Module) -> int:
        budget = self.planned["budget"]
        return round(1.2 * budget * (super().of(network) / budget) ** 3)


def test_a_time_between_two_tries_is_looked_for_between_them(
    planned: tuple[StepModel, dict[str, Any]],
) -> None:
    """By rule of three alone each try would be twice as far off as the one before."""
    model, asked = planned
    importance = unit_importance(model.network, model.graph, "norm2")
    initial = prices_of("time", {}, asked["prices"]).cost(tensor_shapes(model.network))
    budget = round(0.5 * initial)
    machine = Steep(model, asked | {"budget": budget}, 1.0)
    found = budget_as_measured(model, importance, asked, budget, cast(Timing, machine))
    left = without(model, choose_for(model, importance, asked, found))
    assert machine.of(left) == pytest.approx(budget, rel=0.1)


def test_what_the_table_cannot_give_leaves_the_nearest_that_was_tried(
    planned: tuple[StepModel, dict[str, Any]],
) -> None:
    model, asked = planned
    importance = unit_importance(model.network, model.graph, "norm2")
    machine = Fake(model, asked, 1e4)
    budget = 300_000
    found = budget_as_measured(model, importance, asked, budget, cast(Timing, machine))
    assert found == budget


def test_times_are_shares_of_the_dense_networks_or_ms() -> None:
    network, shape = ESPCN(16, 2).eval(), [1, 1, 64, 64]
    plan = {"runtime": "onnx", "shape": shape, "initial": 1000, "absolute": False}
    share = Timing(network, plan, torch.device("cpu")).of(copy.deepcopy(network))
    assert 300 < share < 3000, "the network itself, give or take what the machine does beside"
    absolute = Timing(network, plan | {"absolute": True}, torch.device("cpu")).of(network)
    assert absolute > 3000, "in ns"


def test_the_fastest_is_selected_where_time_is_the_goal() -> None:
    def record(small: int, onnx: float | None, torch_ms: float) -> dict[str, Any]:
        rows = {"torch": {"latency_ms": torch_ms}}
        rows |= {} if onnx is None else {"onnx": {"latency_ms": onnx}}
        return {"keeps_criterion": True, "parameters": small, "reason": "kept",
                "runtimes": {"by_runtime": rows}}  # fmt: skip

    records = {"a": record(10, 3.0, 1.0), "b": record(20, 2.0, 5.0), "c": record(30, None, 4.0)}
    assert smallest_that_keeps(records)[0] == "a"
    assert smallest_that_keeps(records, "time", "onnx")[0] == "b"
    assert smallest_that_keeps(records, "time", "openvino")[0] == "a", "PyTorch's, if no other"
