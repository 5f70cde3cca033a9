"""Portions: multiples of each group, the least loss for what is freed, curves of sensitivity."""

from itertools import pairwise

import numpy as np
import pytest

from stages.channels.budget import budget_for, choose_units
from stages.channels.importance import Importance
from stages.channels.portions import Limits, Portion, by_loss_per_cost, portions_of
from stages.channels.prices import Prices
from stages.channels.sensitivity import Curve, curve_of, curves_from, widths_to_try
from stages.dependency.graph import MAKES, Graph, Group, Slice

UNITS = {"a": 12, "b": 20}


def graph_of(units: dict[str, int]) -> Graph:
    groups = (
        Group(name, (Slice(f"{name}.weight", 0, MAKES, np.arange(n)[:, None]),))
        for name, n in units.items()
    )
    return Graph(tuple(groups), ())


GRAPH = graph_of(UNITS)
IMPORTANCE: Importance = {name: np.linspace(1, 2, n) for name, n in UNITS.items()}
SHAPES = {"a.weight": (12, 10), "b.weight": (20, 1)}


def left_of(chosen: dict[str, np.ndarray]) -> dict[str, int]:
    return {name: n - len(chosen.get(name, ())) for name, n in UNITS.items()}


def test_each_group_goes_in_its_own_multiple() -> None:
    for portion in portions_of(GRAPH, IMPORTANCE, Limits(round_to={"a": 4, "b": 8})):
        assert portion.left % {"a": 4, "b": 8}[portion.group.name] == 0


@pytest.mark.parametrize("budget", range(48, 140))
def test_one_group_ends_between_multiples_so_that_no_more_goes_than_must(budget: int) -> None:
    multiples = {"a": 4, "b": 8}
    limits = Limits(round_to=multiples)
    chosen = choose_units(GRAPH, IMPORTANCE, SHAPES, budget, limits)
    left = left_of(chosen)
    between = [name for name in UNITS if left[name] % multiples[name] and left[name] < UNITS[name]]
    assert len(between) <= 1
    slack = budget - (10 * left["a"] + left["b"])
    last = {name for name, units in chosen.items() if len(units)}
    assert slack >= 0
    assert slack < max({"a": 10, "b": 1}[name] for name in last), "within a unit's worth"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_time_is_saved_where_it_costs_least(share: float) -> None:
    """Of equal losses, units of the dear group go; no exchange of the last two would be better."""
    prices = Prices("time", {"a.weight": 100.0, "b.weight": 100.0})
    alike: Importance = {name: np.ones(n) for name, n in UNITS.items()}
    budget = budget_for(share, prices.cost(SHAPES))
    left = left_of(choose_units(GRAPH, alike, SHAPES, budget, Limits(), prices))
    assert left["b"] == 20 or left["a"] == 1, "a unit of `a` saves ten times as much for the loss"


def test_the_order_follows_what_portions_free_at_their_turn() -> None:
    portions = portions_of(GRAPH, IMPORTANCE, Limits())
    worth = {"a": 8.0, "b": 1.0}
    taken = list(by_loss_per_cost(portions, lambda portion: worth[portion.group.name]))
    assert sorted(map(id, taken)) == sorted(map(id, portions))
    rates = [portion.loss / worth[portion.group.name] for portion in taken]
    assert rates == sorted(rates)
    for name in UNITS:
        lefts = [portion.left for portion in taken if portion.group.name == name]
        assert all(more > fewer for more, fewer in pairwise(lefts)), "units keep their order"


def test_what_frees_nothing_goes_last() -> None:
    def freed(portion: Portion) -> float:
        return 0.0 if portion.group.name == "a" else 1.0

    portions = portions_of(GRAPH, IMPORTANCE, Limits())
    names = [portion.group.name for portion in by_loss_per_cost(portions, freed)]
    assert names == sorted(names, reverse=True)


@pytest.mark.parametrize("units", [2, 3, 8, 16, 64, 1000])
def test_widths_to_try_fall_from_below_all_to_the_minimum(units: int) -> None:
    tried = widths_to_try(units, 2)
    assert all(more > fewer for more, fewer in pairwise([units, *tried]))
    assert all(2 <= left < units for left in tried)
    assert len(tried) == 6 or units < 20


def test_a_curve_never_falls_as_units_go_and_goes_on_below() -> None:
    curve = curve_of(16, [12, 8, 4, 2], [0.1, 0.05, 0.4, 1.0])
    drops = [curve.at(left) for left in range(16, 0, -1)]
    assert drops == sorted(drops)
    assert curve.at(16) == 0
    assert curve.at(8) == pytest.approx(0.1, abs=1e-6), "a gain after a loss is noise"
    assert curve.at(1) == pytest.approx(1.3, abs=1e-6), "0.3 a unit, as between 4 and 2"
    assert curves_from({"groups": {"a": {"left": curve.left, "drop": curve.drop}}}) == {"a": curve}


@pytest.mark.parametrize("budget", [26, 16, 6])
def test_sensitivity_takes_from_all_what_drops_as_much(budget: int) -> None:
    """The threshold: no group has lost units that cost more than the next of another would."""
    curves = {"a": Curve((1, 12), (1.1, 0.0)), "b": Curve((1, 20), (0.95, 0.0))}
    limits = Limits("sensitivity", curves=curves)
    alike = {"a.weight": (12, 1), "b.weight": (20, 1)}
    left = left_of(choose_units(GRAPH, IMPORTANCE, alike, budget, limits))
    one, other = (curves[name].at(left[name]) for name in ("a", "b"))
    assert abs(one - other) <= 0.1, (left, one, other)
