"""What opens the report: what was removed, at what cost, and what zeros are worth."""

from collections.abc import Mapping
from typing import Any

from stages.figures.tables import runtime_name
from stages.figures.times import compared, time_text, within_spread
from stages.measuring.eight_bit import EIGHT_BIT
from stages.settings import DENSE
from stages.tasks.quality import Quality


def lead(summary: Mapping[str, Any], quality: Quality, baseline: str, warned: bool) -> str:
    """What was removed, at what cost, and the criterion; of the dense model, that nothing was.

    Nothing is said of the cost where the report has `warned` that it cannot be told.
    """
    dense, pruned, name = summary["dense"], summary["pruned"], quality.name
    if summary["selected"] == DENSE:
        return (
            f"The criterion did not hold: {summary['reason']}. So the dense model was selected, "
            f"and nothing was removed from it: {dense['parameters']:,} parameters, "
            f"{dense['macs']:,} multiply-accumulates, {time_text(dense)} ms. On the test part its "
            f"{quality.label} is {quality.text(dense[name])}, against "
            f"{quality.number(summary[baseline][name])} for {baseline}."
        )
    cost = "" if warned else _cost(summary, quality)
    return (
        f"The model of {summary['selected']} was selected: {summary['share_removed']:.3f} of the "
        f"parameters are gone ({dense['parameters']:,} to {pruned['parameters']:,}){cost}. The "
        f"criterion held: {summary['reason']}. On the test part its {quality.label} is "
        f"{quality.text(pruned[name])}, against {quality.number(dense[name])} for the dense model "
        f"and {quality.number(summary[baseline][name])} for {baseline}; it needs "
        f"{pruned['macs'] / dense['macs']:.2f} of the dense model's multiply-accumulates and "
        f"{compared(pruned, dense)}."
    )


def _cost(summary: Mapping[str, Any], quality: Quality) -> str:
    lost = summary[f"lost_{quality.name}"]
    cost = f"{quality.text(abs(lost))} of {quality.label} on the test part"
    return f", which {'cost' if lost >= 0 else 'cost nothing: it gained'} {cost}"


def runtimes_text(times: Mapping[str, Any]) -> str:
    """What the table of runtimes shows, and what of it is one network's gain alone."""
    shape = " x ".join(str(side) for side in times["shape"])
    text = (
        f"Medians (and quartiles) for an input of {shape}, {times['threads']} threads, both models "
        "taking turns, one runtime after the other. The gains are how many times less the "
        "pruned model needs than the dense one, in the same runtime; ratio is the gain in time as "
        "a share of the gain in multiply-accumulates."
    )
    rows = times["by_runtime"]
    floats = {key: key.removesuffix(EIGHT_BIT) for key in rows if key.endswith(EIGHT_BIT)}
    slower = [
        runtime_name(key)
        for small, key in floats.items()
        if rows[small]["latency_low_ms"] > rows[key]["latency_high_ms"]
    ]
    if slower:
        text += f" In 8 bits the pruned model is slower than in float there: {', '.join(slower)}."
    return text


def sparse_lead(decision: Mapping[str, Any], summary: Mapping[str, Any], quality: Quality) -> str:
    """The paragraph on single weights: what was decided and why, what was refused, the test."""
    refused = "; ".join(f"{score}: {why}" for score, why in decision["refused"].items())
    text = (
        f"Single weights: {decision['zeros']:,} of {decision['weights']:,} are zero (score "
        f"{decision['score']}, sparsity {decision['sparsity']:.4f}). Decided by the rule "
        f"{decision['rule']}: {decision['reason']}."
    )
    if refused:
        text += f" Refused: {refused}."
    if decision["quality_recovered"] is not None:
        text += (
            f" Recovery brought {quality.text(decision['quality'])} to "
            f"{quality.text(decision['quality_recovered'])} on validation."
        )
    kept = "held" if decision["keeps_criterion"] else "did not hold"
    text += (
        f" The criterion {kept}: {decision['verdict']}. On the test part its {quality.label} is "
        f"{quality.text(summary['sparse'][quality.name])}, against "
        f"{quality.number(summary['dense'][quality.name])} for the dense model."
    )
    return text


def zeros_text(summary: Mapping[str, Any], quality: Quality) -> str:
    """What zeros are worth: no time, fewer bytes; 8 bits; and what removed channels are worth."""
    dense, sparse, pruned = (summary[name] for name in ("dense", "sparse", "pruned"))
    text = (
        "Zeros in a tensor do not make dense kernels faster: the sparse network does all "
        f"{sparse['macs']:,} multiply-accumulates of the dense one and took {time_text(sparse)} ms "
        f"where that took {time_text(dense)} ms. What they give is bytes: {sparse['zip_bytes']:,} "
        f"after compression instead of {dense['zip_bytes']:,}. "
    )
    if "sparse_8bit" in summary:
        small = summary["sparse_8bit"]
        text += (
            f"In 8 bits the sparse network takes {small['zip_bytes']:,} bytes after compression, "
            f"with a {quality.label} of {quality.text(small[quality.name])} on the test part "
            f"instead of {quality.number(sparse[quality.name])} (its time, {time_text(small)} ms, "
            "is ONNX Runtime's, the others' PyTorch's: do not compare them). "
        )
    if summary["selected"] == DENSE:
        return text + "No channels were removed: the dense model was selected."
    times = f"{pruned['macs']:,} multiply-accumulates and took {time_text(pruned)} ms"
    if within_spread(pruned, dense):
        return text + (
            f"Channels were removed, which may give time: the pruned network needs {times}, no "
            "difference from the dense one beyond the spread of the runs."
        )
    return text + f"Removed channels give time: the pruned network needs {times}."
