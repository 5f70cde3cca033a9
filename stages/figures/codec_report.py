"""What the report says of filters behind real codecs, beside what the standard says of its own."""

from statistics import fmean

from stages.figures.codecs import networks_in, plain
from stages.figures.drawing import Rows, Table
from stages.measuring.rate_distortion import DELTAS, MEAN, mean_rates

COLUMNS = (("hevc", "low_delay"), ("vvc", "low_delay"), ("hevc", "random_access"),
           ("vvc", "random_access"))  # fmt: skip
# MPAI-EVC Up-sampling Filter for Video: BD-rate against bicubic, SD to HD.
STANDARD = dict(zip(COLUMNS, (-0.122, -0.138, -0.173, -0.225), strict=True))
STANDARD_COST = 0.01  # BD-rate that pruning may cost, by the same text

DIFFERENCES = (
    "Do not read the rows against each other as a contest. The standard's row is of its own "
    "network and training, on broadcast sequences from SD to HD, coded by the standards' reference "
    "software; ours is of the network of this report, trained in minutes, on the test sequences "
    "named below with as many frames as params.yaml says, coded by x265 and VVenC with the presets "
    "named there at a constant QP (sequences made of pictures are a synthetic pan and zoom, and "
    "small). Both take bicubic over the same streams as their anchor, and the same QPs."
)


def codec_lead(deltas: Rows) -> str:
    """What filters save on bicubic, and what pruning cost of it."""
    found = mean_rates(deltas)
    names = networks_in(found)
    known = {case: rate for case, rate in found.items() if rate is not None}
    if any(case[2] in names for case in found.keys() - known.keys()):
        return (
            "Curves of filters and of bicubic do not overlap or do not grow everywhere, so BD-rate "
            "is not known for all cases: see the table."
        )
    means = {name: fmean(rate for case, rate in known.items() if case[2] == name) for name in names}
    if "pruned" not in names:
        return (
            "Behind real codecs the dense filter, which was selected, needs "
            f"{-means['dense']:.3f} less rate than bicubic for the same Y-PSNR (BD-rate, mean of "
            "all codecs and modes)."
        )
    costs = {
        (codec, mode): rate - known[codec, mode, "dense"]
        for (codec, mode, name), rate in known.items()
        if name == "pruned"
    }
    worst = max(costs, key=lambda case: costs[case])
    kept = costs[worst] < STANDARD_COST
    return (
        f"Behind real codecs the pruned filter needs {-means['pruned']:.3f} less rate than bicubic "
        f"for the same Y-PSNR (BD-rate, mean of {len(costs)} codecs and modes), the dense one "
        f"{-means['dense']:.3f}. Pruning changes BD-rate by "
        f"{means['pruned'] - means['dense']:+.4f} on average and "
        f"{costs[worst]:+.4f} at worst ({worst[0].upper()}, {plain(worst[1])}): "
        f"{'less' if kept else 'not less'} than the {STANDARD_COST} that the standard names."
    )


def standard_table(deltas: Rows) -> Table:
    """BD-rate in the standard's form: a row per filter, a column per codec and mode."""
    found = mean_rates(deltas)
    head = ["filter", *(f"{codec.upper()} {'LD' if 'low' in mode else 'RA'}"
                        for codec, mode in COLUMNS)]  # fmt: skip
    rows = []
    for name in dict.fromkeys(name for _, _, name in found):
        values = [found.get((*case, name)) for case in COLUMNS]
        rows.append([name, *("" if v is None else f"{v:+.3f}" for v in values)])
    rows.append(["the standard's (its own text)", *(f"{STANDARD[c]:+.3f}" for c in COLUMNS)])
    return head, rows


def delta_table(deltas: Rows) -> Table:
    """All deltas against bicubic: a row per sequence, codec, mode and filter; the means last."""
    head = ["sequence", "codec", "mode", "filter", "BD-rate", "BD-PSNR (dB)", "BD-rate (VMAF)",
            "BD-VMAF"]  # fmt: skip
    ordered = sorted(deltas, key=lambda row: row["sequence"] == MEAN)
    rows = [
        [str(row["sequence"]), str(row["codec"]).upper(), plain(str(row["mode"])),
         str(row["filter"]), *(row[n] and f"{float(row[n]):+.4f}" for n in DELTAS)]
        for row in ordered
    ]  # fmt: skip
    return head, rows
