"""A dense network that is no better than the baseline is told, wherever it is known."""

from typing import Any

import numpy as np
import pytest

from stages.measuring.against_baseline import doubt_on_test, doubt_on_validation, ruin_by_removal
from stages.tasks.quality import Measures, Quality

ACCURACY = Measures(Quality("accuracy", "accuracy", "", True, 4), "majority", ("accuracy",))
PSNR = Measures(Quality("psnr_db", "Y-PSNR", "dB", True), "bicubic", ("psnr_db",))
ERROR = Measures(Quality("error", "error", "", False), "mean", ("error",))


@pytest.mark.parametrize(
    ("measures", "dense", "baseline", "warned"),
    [
        (ACCURACY, 0.1, 0.1, True),
        (ACCURACY, 0.09, 0.1, True),
        (ACCURACY, 0.10001, 0.1, True),
        (ACCURACY, 0.8, 0.1, False),
        (ERROR, 0.3, 0.2, True),
        (ERROR, 0.2, 0.3, False),
    ],
)
def test_validation(measures: Measures, dense: float, baseline: float, warned: bool) -> None:
    told = doubt_on_validation(measures, dense, baseline)
    assert (told is not None) == warned
    if told:
        assert f"no better than {measures.baseline} on validation" in told


def rows(measures: Measures, **models: Any) -> list[dict[str, Any]]:
    name = measures.quality.name
    return [
        {"model": model, "item": item, name: str(value)}
        for model, values in models.items()
        for item, value in enumerate(values)
    ]


def right(classes: np.ndarray, taken: int) -> np.ndarray:
    """Whether each sample is of the one class that a collapsed network takes all for."""
    return (classes == taken).astype(float)


def test_a_network_that_knows_one_class_is_no_better_even_where_that_is_the_luckier_one() -> None:
    classes = np.random.default_rng(0).integers(0, 10, 1000)
    counts = np.bincount(classes)
    lucky, majority = int(counts.argmax()), int(counts.argmin())
    assert counts[lucky] > counts[majority]
    for dense in (lucky, majority):
        told = doubt_on_test(
            ACCURACY, rows(ACCURACY, majority=right(classes, majority), dense=right(classes, dense))
        )
        assert told is not None
        assert "better than majority on the test part" in told
    half = (np.arange(1000) % 2).astype(float)
    assert doubt_on_test(ACCURACY, rows(ACCURACY, majority=right(classes, 0), dense=half)) is None


def test_gains_on_few_pictures_are_believed_where_they_are_alike() -> None:
    low, high = [29.0, 31.0, 25.0], [29.9, 32.0, 25.8]
    assert doubt_on_test(PSNR, rows(PSNR, bicubic=low, dense=high)) is None
    assert doubt_on_test(PSNR, rows(PSNR, bicubic=low, dense=[29.1, 33.0, 25.2])) is None
    told = doubt_on_test(PSNR, rows(PSNR, bicubic=low, dense=[28.9, 33.0, 25.2]))
    assert told is not None
    assert "not clearly better than bicubic" in told
    told = doubt_on_test(PSNR, rows(PSNR, bicubic=high, dense=low))
    assert told is not None
    assert "no better than bicubic" in told
    assert doubt_on_test(PSNR, rows(PSNR, bicubic=low[:1], dense=high[:1])) is None
    assert doubt_on_test(ERROR, rows(ERROR, mean=high, dense=low)) is None


def test_a_removal_that_leaves_less_than_the_baseline_is_told_with_what_helps() -> None:
    removal = {"quality_after": 8.35, "quality_repaired": None}
    text = ruin_by_removal(PSNR, removal, 29.5)
    assert text is not None
    assert "8.350 dB" in text
    assert "least_squares" in text
    assert ruin_by_removal(PSNR, removal | {"quality_repaired": 30.1}, 29.5) is None
    worse = ruin_by_removal(PSNR, removal | {"quality_repaired": 20.0}, 29.5)
    assert worse is not None
    assert "smaller target" in worse
    assert ruin_by_removal(PSNR, None, 29.5) is None
