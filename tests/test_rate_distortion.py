"""Bjontegaard deltas, against published values."""

import pytest

from stages.measuring.rate_distortion import bd_quality, bd_rate, deltas

# JCTVC-E137, as in the tests of VMAF's own calculator (libvmaf, bd_rate_calculator_test.py).
PUBLISHED = [
    (
        ([108048.8736, 61279.976, 33905.6656, 18883.6928], [43.6471, 40.3953, 37.247, 34.2911]),
        ([108061.2784, 61299.9936, 33928.7472, 18910.912], [43.6768, 40.4232, 37.2761, 34.3147]),
        -0.00465215420752807,
    ),
    (
        ([40433.8848, 7622.7456, 2394.488, 1017.6184], [37.5761, 35.3756, 33.8977, 32.0603]),
        ([40370.12, 7587.0024, 2390.0944, 1017.0984], [37.5982, 35.4025, 33.9194, 32.0822]),
        -0.018779823450567612,
    ),
]
RATES, QUALITIES = [100.0, 200.0, 400.0, 800.0], [30.0, 33.0, 35.5, 37.0]
ANCHOR = RATES, QUALITIES


@pytest.mark.parametrize(("anchor", "other", "wanted"), PUBLISHED)
def test_published_values(anchor: tuple, other: tuple, wanted: float) -> None:
    assert bd_rate(anchor, other) == pytest.approx(wanted, abs=1e-9)


def test_a_share_of_the_rate_is_that_delta() -> None:
    assert bd_rate(ANCHOR, ANCHOR) == pytest.approx(0, abs=1e-12)
    assert bd_rate(ANCHOR, ([0.9 * r for r in RATES], QUALITIES)) == pytest.approx(-0.1)
    better = RATES, [q + 0.5 for q in QUALITIES]
    assert bd_quality(ANCHOR, better) == pytest.approx(0.5)
    assert bd_rate(ANCHOR, better) < 0


def test_curves_without_common_ground_have_no_delta() -> None:
    assert bd_rate(ANCHOR, (RATES, [q + 50 for q in QUALITIES])) is None
    assert bd_rate(ANCHOR, (RATES, [30.0, 33.0, 32.0, 37.0])) is None
    assert bd_quality(ANCHOR, ([9000.0, 9100.0, 9200.0, 9300.0], QUALITIES)) is None


def rows(sequence: str, name: str, gain: float, vmaf: bool = True) -> list[dict]:
    return [
        {"sequence": sequence, "codec": "hevc", "mode": "low_delay", "qp": qp, "filter": name,
         "rate_kbps": rate, "psnr_db": quality + gain, "vmaf": 2 * quality + gain if vmaf else ""}
        for qp, rate, quality in zip((37, 32, 27, 22), RATES, QUALITIES, strict=True)
    ]  # fmt: skip


def test_every_sequence_and_their_mean_are_told() -> None:
    given = [*rows("a", "bicubic", 0), *rows("b", "bicubic", 0), *rows("a", "dense", 0.2),
             *rows("b", "dense", 0.6)]  # fmt: skip
    told = deltas(given[::-1])
    by_sequence = {row["sequence"]: row for row in told}
    assert set(by_sequence) == {"a", "b", "mean"}
    assert by_sequence["a"]["bd_psnr_db"] == pytest.approx(0.2)
    assert by_sequence["mean"]["bd_psnr_db"] == pytest.approx(0.4)
    rates = [by_sequence[name]["bd_rate"] for name in "ab"]
    assert by_sequence["mean"]["bd_rate"] == pytest.approx(sum(rates) / 2)
    assert by_sequence["b"]["bd_rate"] < by_sequence["a"]["bd_rate"] < 0
    assert by_sequence["a"]["bd_rate_vmaf"] < 0
    assert by_sequence["mean"]["bd_vmaf"] == pytest.approx(0.4)


def test_what_is_not_known_is_left_out() -> None:
    given = [*rows("a", "bicubic", 0, vmaf=False), *rows("a", "dense", 50, vmaf=False)]
    assert [row["bd_rate"] for row in deltas(given)] == [None, None]
    assert [(row["bd_rate_vmaf"], row["bd_vmaf"]) for row in deltas(given)] == [(None, None)] * 2
