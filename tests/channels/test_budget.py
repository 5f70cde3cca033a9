"""Choosing units: the budget is met, and every limit is kept."""

from itertools import pairwise

import numpy as np
import pytest

from stages.channels.budget import budget_for, choose_units, smallest_reachable
from stages.channels.importance import Importance, unit_importance
from stages.channels.portions import Limits, is_protected
from stages.channels.removal import Shapes, count_after, parameter_shapes, remove_channels
from stages.channels.schedule import step_targets
from stages.dependency.graph import FOLLOWS, MAKES, Graph, Group, Removed, Slice, removed_indices
from stages.errors import UserError
from tests.dependency.cases import network_of, prepared, units_of

NAMES = ["drln w12 m1 s4", "espcn w16 s3", "residual", "batch norm", "shared", "flatten", "grouped"]
TARGETS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def subject(name: str) -> tuple[Graph, Importance, Shapes]:
    network, graph = prepared(name)
    return graph, unit_importance(network, graph, "norm2"), parameter_shapes(network)


def count(graph: Graph, shapes: Shapes, removed: Removed) -> int:
    return count_after(shapes, removed_indices(graph, removed))


def at_least(graph: Graph, shapes: Shapes, minimum: int = 1) -> int:
    """Parameters that are left with every group at its minimum."""
    most = {g.name: np.arange(max(0, g.units - minimum)) for g in graph.groups}
    return count(graph, shapes, most)


def reachable(name: str, limits: Limits, target: float) -> tuple[Graph, Shapes, int, Removed]:
    """What is chosen for a target, or for the nearest that the limits leave in reach."""
    graph, importance, shapes = subject(name)
    initial = count(graph, shapes, {})
    spare = limits.minimum + limits.round_to - 1
    budget = max(budget_for(target, initial), at_least(graph, shapes, spare))
    return graph, shapes, budget, choose_units(graph, importance, shapes, budget, limits)


def kept(graph: Graph, chosen: Removed) -> dict[str, int]:
    return {g.name: g.units - len(chosen.get(g.name, ())) for g in graph.groups}


def two_groups(huge: int, tiny: int) -> tuple[Graph, Importance, Shapes]:
    """Some units of 1000 parameters, and many of two."""
    few, many = np.arange(huge)[:, None], np.arange(tiny)[:, None]
    graph = Graph(
        (
            Group("huge", (Slice("huge.weight", 0, MAKES, few),)),
            Group("tiny", (Slice("tiny.weight", 0, MAKES, many), Slice("b", 0, FOLLOWS, many))),
        ),
        (),
    )
    importance = {"huge": np.linspace(0.5, 1.5, huge), "tiny": np.linspace(0.5, 1.5, tiny)}
    return graph, importance, {"huge.weight": (huge, 1000), "tiny.weight": (tiny, 1), "b": (tiny,)}


def test_budget_is_the_largest_that_removes_the_target() -> None:
    for initial in (30, 101, 12345):
        for target in TARGETS:
            budget = budget_for(target, initial)
            assert initial - budget >= target * initial - 1e-6
            assert initial - (budget + 1) < target * initial - 1e-6


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_budget_is_met_and_no_unit_fits_in_any_more(name: str, target: float) -> None:
    graph, shapes, budget, chosen = reachable(name, Limits(), target)
    left = count(graph, shapes, chosen)
    assert left <= budget
    assert chosen
    for group, units in chosen.items():
        assert count(graph, shapes, chosen | {group: units[1:]}) > budget
    network = network_of(name)
    remove_channels(network, graph, chosen)
    assert sum(p.numel() for p in network.parameters()) == left


@pytest.mark.parametrize("target", [0.2, 0.6])
@pytest.mark.parametrize("name", NAMES)
def test_the_least_important_units_of_a_group_go(name: str, target: float) -> None:
    importance = subject(name)[1]
    for group, units in reachable(name, Limits(), target)[-1].items():
        values = importance[group]
        left = np.delete(values, units)
        assert values[units].max() <= left.min()
        assert (np.diff(units) > 0).all()


def test_the_least_important_of_all_groups_goes_first() -> None:
    graph, importance, shapes = two_groups(huge=4, tiny=4)
    budget = count(graph, shapes, {}) - 2
    for lowest in ("huge", "tiny"):
        lower = importance | {lowest: importance[lowest] - 0.4}
        chosen = choose_units(graph, lower, shapes, budget, Limits())
        assert {name: units.tolist() for name, units in chosen.items()} == {lowest: [0]}


@pytest.mark.parametrize("scope", ["global", "local"])
@pytest.mark.parametrize(("minimum", "round_to"), [(1, 2), (2, 1), (3, 2), (2, 4)])
@pytest.mark.parametrize("name", NAMES)
def test_minimum_and_multiples_are_kept(name: str, minimum: int, round_to: int, scope: str) -> None:
    limits = Limits(scope, minimum, round_to)  # type: ignore[arg-type]
    for target in (0.3, 0.9):
        graph, shapes, budget, chosen = reachable(name, limits, target)
        assert count(graph, shapes, chosen) <= budget
        for group, left in kept(graph, chosen).items():
            if left != units_of(graph, group):
                assert left >= minimum
                assert left % round_to == 0


def test_units_that_are_no_multiple_lose_the_odd_rest_first() -> None:
    graph, importance, shapes = two_groups(huge=7, tiny=4)
    chosen = choose_units(graph, importance, shapes, 4010, Limits(round_to=4, protect=("tiny",)))
    assert kept(graph, chosen) == {"huge": 4, "tiny": 4}


@pytest.mark.parametrize("pattern", ["head", "cascade.*.fusion", "fusions.*.weight"])
def test_protected_groups_stay_whole(pattern: str) -> None:
    graph, importance, shapes = subject("drln w8 m2 s3")
    free = {g.name for g in graph.groups if not is_protected(g, (pattern,))}
    lowest = count(graph, shapes, {n: np.arange(units_of(graph, n) - 1) for n in free})
    chosen = choose_units(graph, importance, shapes, lowest, Limits(protect=(pattern,)))
    assert 0 < len(free) < len(graph.groups)
    assert kept(graph, chosen) == {g.name: 1 if g.name in free else g.units for g in graph.groups}


def test_nothing_goes_where_nothing_must_or_may() -> None:
    graph, importance, shapes = subject("drln w8 m2 s3")
    initial = count(graph, shapes, {})
    for scope in ("global", "local"):
        assert choose_units(graph, importance, shapes, initial, Limits(scope)) == {}
    with pytest.raises(UserError):
        choose_units(graph, importance, shapes, initial - 1, Limits(protect=("*.bias",)))


def test_protecting_a_layer_protects_all_that_is_tied_to_it() -> None:
    graph = prepared("drln w8 m2 s3")[1]
    protected = {g.name for g in graph.groups if is_protected(g, ("cascade.0.units.1.second",))}
    assert protected == {"head", "cascade.0.units.1.first"}
    assert not any(is_protected(g, ("cascade.0.units.1",)) for g in graph.groups)


@pytest.mark.parametrize("target", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("name", NAMES)
def test_local_scope_takes_nearly_equal_shares(name: str, target: float) -> None:
    graph, _, _, chosen = reachable(name, Limits("local"), target)
    _assert_equal_shares(graph, chosen)


def test_local_scope_takes_nearly_equal_shares_of_units_of_unequal_size() -> None:
    graph, importance, shapes = two_groups(huge=4, tiny=100)
    for budget in range(1100, 4100, 50):
        chosen = choose_units(graph, importance, shapes, budget, Limits("local"))
        _assert_equal_shares(graph, chosen)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_local_scope_gives_back_all_that_equal_shares_allow(name: str, target: float) -> None:
    graph, shapes, budget, chosen = reachable(name, Limits("local"), target)
    shares = {g.name: len(chosen.get(g.name, ())) / g.units for g in graph.groups}
    behind = max(share - 1 / units_of(graph, group) for group, share in shares.items())
    for group, units in chosen.items():
        if shares[group] - 1 / units_of(graph, group) > behind + 1e-9:
            assert count(graph, shapes, chosen | {group: units[1:]}) > budget


def test_local_scope_meets_the_target_within_a_small_channel() -> None:
    graph, importance, shapes = two_groups(huge=4, tiny=100)
    initial, seen = count(graph, shapes, {}), 0
    for budget in range(initial - 2200, initial, 7):
        chosen = choose_units(graph, importance, shapes, budget, Limits("local"))
        few, many = (len(chosen.get(name, ())) for name in ("huge", "tiny"))
        if few and (many - 1) / 100 > (few - 1) / 4:  # it is not a huge unit behind
            assert count(graph, shapes, chosen | {"tiny": chosen["tiny"][1:]}) > budget
            seen += 1
    assert seen > 20


def _assert_equal_shares(graph: Graph, chosen: Removed) -> None:
    """Groups differ by no more than a unit of each."""
    shares = {g.name: (len(chosen.get(g.name, ())) / g.units, 1 / g.units) for g in graph.groups}
    able = [(share, unit) for share, unit in shares.values() if share < 1 - unit - 1e-9]
    for share, unit in able:
        for other, other_unit in able:
            assert abs(share - other) <= unit + other_unit + 1e-9, shares


@pytest.mark.parametrize("name", NAMES)
def test_a_larger_target_takes_what_a_smaller_one_takes(name: str) -> None:
    """But for what it gives back, which is less than the last unit taken."""
    graph, _, shapes = subject(name)
    initial = count(graph, shapes, {})
    largest = initial - min(count(graph, shapes, {g.name: [0]}) for g in graph.groups)
    for smaller, larger in pairwise(TARGETS):
        few = reachable(name, Limits(), smaller)[-1]
        _, _, budget, many = reachable(name, Limits(), larger)
        both = {
            g.name: np.union1d(few.get(g.name, []), many.get(g.name, [])).astype(int)
            for g in graph.groups
        }
        assert count(graph, shapes, both) > budget - largest


@pytest.mark.parametrize("limits", [Limits(), Limits("local", 3, 2), Limits(minimum=2, round_to=3)])
@pytest.mark.parametrize("name", NAMES)
def test_what_can_be_reached_is_known_beforehand(name: str, limits: Limits) -> None:
    graph, importance, shapes = subject(name)
    lowest = smallest_reachable(graph, shapes, limits)
    assert count(graph, shapes, choose_units(graph, importance, shapes, lowest, limits)) == lowest
    with pytest.raises(UserError):
        choose_units(graph, importance, shapes, lowest - 1, limits)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_out_of_reach_is_refused_in_one_line(name: str) -> None:
    graph, importance, shapes = subject(name)
    lowest = at_least(graph, shapes)
    assert smallest_reachable(graph, shapes, Limits()) == lowest
    assert count(graph, shapes, choose_units(graph, importance, shapes, lowest, Limits())) == lowest
    with pytest.raises(UserError) as refusal:
        choose_units(graph, importance, shapes, lowest - 1, Limits())
    assert "\n" not in str(refusal.value)
    assert str(lowest) in str(refusal.value)


def test_even_steps_remove_equal_shares_of_the_initial_model() -> None:
    targets = step_targets("even", 0.6, ["a", "b", "c"], {})
    assert list(targets) == ["a", "b", "c"]
    assert list(targets.values()) == pytest.approx([0.2, 0.4, 0.6])


def test_geometric_steps_remove_equal_shares_of_what_is_left() -> None:
    left = [1, *(1 - t for t in step_targets("geometric", 0.784, ["a", "b", "c"], {}).values())]
    assert [after / before for before, after in pairwise(left)] == (pytest.approx([0.6] * 3))


def test_explicit_steps_are_those_given() -> None:
    shares = {"a": 0.1, "b": 0.5, "left over": 0.9}
    assert step_targets("explicit", 0.3, ["b", "a"], shares) == {"b": 0.5, "a": 0.1}
