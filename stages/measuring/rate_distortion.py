"""Bjontegaard deltas: how much less rate a filter needs for the same quality."""

import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

METHOD = "pchip"  # as in the common test conditions of JCT-VC and JVET
ANCHOR = "bicubic"
MEAN = "mean"  # in the place of a sequence: the mean over all
# Rate by Y-PSNR and Y-PSNR by rate; the same of VMAF.
DELTAS = ("bd_rate", "bd_psnr_db", "bd_rate_vmaf", "bd_vmaf")

Rows = Sequence[Mapping[str, Any]]
RateCurve = tuple[list[float], list[float]]  # rates, and qualities that grow with them


def bd_rate(anchor: RateCurve, other: RateCurve) -> float | None:
    """Mean difference of rate at equal quality, as a fraction: -0.1 saves a tenth.

    None where the curves share no quality, or a quality does not grow with its rate (VCEG-M33;
    piecewise cubic, JCTVC-L1100).
    """
    found = _delta("bd_rate", anchor, other, shared=1)
    return None if found is None else found / 100


def bd_quality(anchor: RateCurve, other: RateCurve) -> float | None:
    """Mean difference of quality at equal rate, in its own unit (BD-PSNR: dB)."""
    return _delta("bd_psnr", anchor, other, shared=0)


def _delta(name: str, anchor: RateCurve, other: RateCurve, shared: int) -> float | None:
    if not (_grows(anchor) and _grows(other) and _overlap(anchor[shared], other[shared])):
        return None
    import bjontegaard  # imports matplotlib

    with warnings.catch_warnings(action="ignore"):  # of a small overlap
        found = getattr(bjontegaard, name)(
            *anchor, *other, method=METHOD, require_matching_points=False, min_overlap=0
        )
    return float(found)


def _grows(curve: RateCurve) -> bool:
    points = sorted(zip(*curve, strict=True))
    return all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(points))


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return max(min(one), min(other)) < min(max(one), max(other))


def curves(rows: Rows, quality: str) -> dict[tuple[str, ...], RateCurve]:
    """Rates and qualities by (sequence, codec, mode, filter), by rising rate."""
    found: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for row in rows:
        if row[quality] != "":
            key = tuple(str(row[k]) for k in ("sequence", "codec", "mode", "filter"))
            found.setdefault(key, []).append((float(row["rate_kbps"]), float(row[quality])))
    return {
        key: ([rate for rate, _ in sorted(points)], [value for _, value in sorted(points)])
        for key, points in found.items()
    }


def deltas(rows: Rows) -> list[dict[str, Any]]:
    """A row a sequence, codec, mode and filter: its deltas against bicubic, None where none is.

    Rows of the sequence `MEAN` are means over all sequences.
    """
    by_psnr, by_vmaf = curves(rows, "psnr_db"), curves(rows, "vmaf")
    made = [
        dict(zip(("sequence", "codec", "mode", "filter"), key, strict=True))
        | _against_anchor(by_psnr, key, DELTAS[:2])
        | _against_anchor(by_vmaf, key, DELTAS[2:])
        for key in by_psnr if key[3] != ANCHOR
    ]  # fmt: skip
    return [*made, *_means(made)]


def _against_anchor(
    by: Mapping[tuple[str, ...], RateCurve], key: tuple[str, ...], names: Sequence[str]
) -> dict[str, Any]:
    if key not in by:
        return dict.fromkeys(names)
    pair = by[(*key[:3], ANCHOR)], by[key]
    return dict(zip(names, (bd_rate(*pair), bd_quality(*pair)), strict=True))


def shown_case(
    codecs: Sequence[str], modes: Sequence[str], qps: Sequence[int]
) -> tuple[str, str, int]:
    """The codec, mode and QP that crops are of: the first, the last, the QP before the largest."""
    return codecs[0], modes[-1], sorted(qps)[-2]


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean; None if a value is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _means(rows: Rows) -> list[dict[str, Any]]:
    keys = dict.fromkeys((row["codec"], row["mode"], row["filter"]) for row in rows)
    means = []
    for codec, mode, name in keys:
        same = [r for r in rows if (r["codec"], r["mode"], r["filter"]) == (codec, mode, name)]
        values = {d: mean_of([row[d] for row in same]) for d in DELTAS}
        head = {"sequence": MEAN, "codec": codec, "mode": mode, "filter": name}
        means.append(head | values)
    return means


def mean_rates(rows: Rows) -> dict[tuple[str, str, str], float | None]:
    """Mean BD-rate over the sequences by codec, mode and filter, of rows as `deltas` makes them,
    read back from a table: blank is unknown."""
    return {
        (str(row["codec"]), str(row["mode"]), str(row["filter"])):
            float(row["bd_rate"]) if row["bd_rate"] != "" else None
        for row in rows if row["sequence"] == MEAN
    }  # fmt: skip


def mean_rate(rows: Rows, name: str) -> float | None:
    """Mean BD-rate of a filter over sequences, codecs and modes."""
    return mean_of([rate for key, rate in mean_rates(rows).items() if key[2] == name])
