"""Tables over widths: exact where something was measured, linear in between, never below zero."""

import itertools

import pytest

from stages.channels.prices import Prices, amount, prices_of
from stages.channels.tables import Table, table_from

AXES = ((2.0, 8.0, 16.0), (4.0, 32.0))
TABLE = Table(AXES, ((1.0, 5.0), (3.0, 9.0), (4.0, 20.0)))


@pytest.mark.parametrize(("row", "column"), [*itertools.product(range(3), range(2))])
def test_it_holds_what_was_measured(row: int, column: int) -> None:
    assert TABLE.at(AXES[0][row], AXES[1][column]) == TABLE.values[row][column]


def test_it_is_linear_along_each_axis() -> None:
    assert TABLE.at(5, 4) == (1 + 3) / 2
    assert TABLE.at(8, 18) == (3 + 9) / 2
    assert TABLE.at(5, 18) == pytest.approx((1 + 3 + 5 + 9) / 4)


def test_beyond_the_ends_the_last_two_go_on_above_zero() -> None:
    assert TABLE.at(24, 4) == 5
    falling = Table(((2.0, 3.0), (1.0,)), ((1.0,), (5.0,)))
    assert falling.at(1, 1) == 0
    assert falling.at(2.5, 1) == 3


def test_nothing_is_left_of_a_layer_without_a_length() -> None:
    assert TABLE.at(0, 4) == TABLE.at(4, 0) == 0


def test_time_adds_up_tables_elements_lengths_and_the_rest() -> None:
    known = {"time": {"tables": {"a": [{"axes": AXES, "values": TABLE.values}] * 2},
                      "elements": {"a": 0.5, "b": 2.0}, "lengths": {"a": [[1, 7.0], [0, 3.0]]},
                      "rest": 11.0}}  # fmt: skip
    prices = prices_of("time", {}, known)
    expected = 2 * TABLE.at(8, 4) + 0.5 * 8 * 4 * 9 + 7 * 4 + 3 * 8 + 2 * 3 + 11
    assert prices.cost({"a": (8, 4, 3, 3), "b": (3,)}) == expected
    assert table_from({"axes": AXES, "values": TABLE.values}) == TABLE


def test_costs_are_told_in_units_that_people_read() -> None:
    assert amount("time", 12_345_678) == "12.346 ms"
    assert amount("macs", 12_345_678) == "12,345,678 macs"
    assert Prices("time", {}).cost({"a": (3,)}) == 0
