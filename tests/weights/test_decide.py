"""The trade-off's rules, and what they say."""

import pytest

from stages.weights.decide import as_given, at_the_knee, knee, largest_that_keeps
from stages.weights.refine import SparsityCurve

CURVES: dict[str, SparsityCurve] = {
    "magnitude": [(0.0, 0.9), (0.5, 0.895), (0.8, 0.88), (0.9, 0.5), (0.999, 0.1)],
    "synflow": [(0.0, 0.9), (0.5, 0.892), (0.8, 0.891), (0.9, 0.4), (0.999, 0.1)],
    "random": [(0.0, 0.9), (0.5, 0.9), (0.9, 0.9), (0.999, 0.9)],
}


def told(quality: float) -> str:
    return f"{quality:.3f}"


def test_the_largest_sparsity_that_keeps_the_criterion_wins() -> None:
    decision = largest_that_keeps(CURVES, lambda quality: quality >= 0.89, told)
    assert (decision.score, decision.sparsity) == ("synflow", 0.8)
    for words in ("synflow keeps", "0.8000", "0.891", "0.9000", "0.400"):
        assert words in decision.reason
    assert decision.refused["magnitude"] == "keeps it up to 0.5000"


def test_a_point_beyond_the_first_failure_is_luck() -> None:
    curve: SparsityCurve = [(0.0, 0.9), (0.3, 0.89), (0.5, 0.85), (0.6, 0.895), (0.9, 0.1)]
    decision = largest_that_keeps({"magnitude": curve}, lambda quality: quality >= 0.89, told)
    assert decision.sparsity == 0.3
    assert "the next point, 0.5000, does not" in decision.reason


def test_where_the_criterion_is_kept_again_is_named() -> None:
    curve: SparsityCurve = [(0.0, 0.9), (0.3, 0.89), (0.5, 0.85), (0.6, 0.895), (0.9, 0.1)]
    longer: SparsityCurve = [*curve[:4], (0.7, 0.7), (0.8, 0.9), (0.9, 0.1)]
    straight: SparsityCurve = [(0.0, 0.9), (0.2, 0.89), (0.6, 0.1)]
    curves = {"magnitude": curve, "synflow": longer, "gradient": straight}
    decision = largest_that_keeps(curves, lambda quality: quality >= 0.89, told)
    assert decision.sparsity == 0.3
    assert "kept again at 0.6000, which is not taken" in decision.reason
    assert "kept again at 0.6000, last at 0.8000" in decision.refused["synflow"]
    assert decision.refused["gradient"] == "keeps it up to 0.2000"
    alone = largest_that_keeps({"gradient": straight}, lambda quality: quality >= 0.89, told)
    assert "again" not in alone.reason


def test_a_control_is_never_chosen_and_says_so() -> None:
    decision = largest_that_keeps(CURVES, lambda quality: quality >= 0.89, told)
    assert "control" in decision.refused["random"]
    alone = {"random": CURVES["random"]}
    assert largest_that_keeps(alone, lambda _: True, told).score == "random"


def test_where_nothing_keeps_the_criterion_the_dense_network_stays() -> None:
    decision = largest_that_keeps(CURVES, lambda quality: quality > 0.95, told)
    assert decision.sparsity == 0.0


def test_the_knee_is_the_point_furthest_from_the_line() -> None:
    curve: SparsityCurve = [(0.0, 1.0), (0.2, 0.99), (0.8, 0.95), (0.9, 0.5), (1.0, 0.0)]
    point, height = knee(curve)
    assert point == (0.8, 0.95)
    assert height == pytest.approx(0.75)
    up: SparsityCurve = [(sparsity, 1 - quality) for sparsity, quality in curve]
    assert knee(up)[0][0] == 0.8
    assert knee([(0.0, 0.5), (1.0, 0.5)])[1] == 0


def test_the_furthest_knee_is_chosen_with_its_reason() -> None:
    decision = at_the_knee(CURVES, told)
    assert (decision.score, decision.sparsity) == ("synflow", 0.8)
    assert "knee of synflow" in decision.reason
    assert set(decision.refused) == {"magnitude", "random"}


def test_what_is_given_is_taken() -> None:
    decision = as_given("magnitude", 0.7, CURVES)
    assert (decision.score, decision.sparsity) == ("magnitude", 0.7)
    assert decision.refused["synflow"] == "not asked for"
