"""Made-up results, as stages write them, for tests of figures and of the report."""

from typing import Any

from stages.tasks.quality import Measures, Quality

QUALITY = Quality("psnr_db", "Y-PSNR", "dB", higher_is_better=True)
METRICS, MODELS = ("psnr_db", "ssim"), ["bicubic", "dense", "pruned"]
MEASURES = Measures(QUALITY, "bicubic", METRICS)
ROWS = [
    {"epoch": "0", "iteration": "0", "loss": "", "psnr_db": "20.5"},
    {"epoch": "1", "iteration": "5", "loss": "0.1", "psnr_db": "29.5"},
    {"epoch": "2", "iteration": "10", "loss": "0.05", "psnr_db": "30.5"},
]


def record(number: int, passed_on: bool = False) -> dict[str, Any]:
    """Of step `number`, which lost two channels of the group `first` for every step so far."""
    left, quality = 1 - 0.2 * number, 31.0 - number
    removal = {"quality_before": quality + 0.5, "quality_after": quality - 5, "target": 1 - left,
               "quality_repaired": quality - 0.5}  # fmt: skip
    return {
        "passed_on": passed_on, "share_left": left, "quality": quality, "parameters": 1000 * left,
        "dense_quality": 31.0, "baseline_quality": 28.0, "keeps_criterion": not passed_on,
        "warning": None, "macs_note": "", "removed": {"first": f"0:{2 * number}:1"},
        "removal": None if passed_on else removal,
        "histories": {} if passed_on else {"sparsify": ROWS, "recover": ROWS},
    }  # fmt: skip


def model(parameters: int, ms: float = 2.0) -> dict[str, Any]:
    return {"psnr_db": 29.25, "ssim": 0.875, "parameters": parameters, "macs": 10 * parameters,
            "latency_ms": ms, "latency_low_ms": 0.9 * ms, "latency_high_ms": 1.1 * ms,
            "bytes": 4000, "zip_bytes": 3000, "iterations": 12}  # fmt: skip


def runtimes() -> dict[str, Any]:
    """The pruned model needs 5 times fewer MACs, and saves less of time in 8 bits than without."""
    rows = {}
    for name, ms in (("torch", 1.0), ("onnx", 0.5), ("onnx_8bit", 0.75)):
        both = {"dense_": 2.0, "": ms}
        row = {f"{prefix}latency_{q}ms": value * factor for prefix, value in both.items()
               for q, factor in (("", 1), ("low_", 0.9), ("high_", 1.1))}  # fmt: skip
        rows[name] = row | {"time_gain": 2 / ms, "gain_ratio": 2 / ms / 5, "latency_runs": 9}
    return {"threads": 2, "shape": [1, 1, 180, 320], "macs_gain": 5.0, "by_runtime": rows}


def summary(selected: str = "step1", ms: float = 1.0) -> dict[str, Any]:
    """Of a dense model that takes 2 ms, and a pruned one that takes `ms`."""
    return {
        "selected": selected, "reason": "because <of this>", "share_removed": 0.6,
        "lost_psnr_db": 0.125, "gained_psnr_db": 1.0, "device": "cpu", "warning": None,
        "dense": model(12345), "pruned": model(4938, ms),
        "bicubic": {"psnr_db": 28.25, "ssim": 0.75}, "runtimes": runtimes(),
        "not_exported": {"pruned": {"openvino": "no operator <eig>"}},
    }  # fmt: skip


DECISION: dict[str, Any] = {
    "decided": True, "rule": "largest", "score": "synflow", "sparsity": 0.75, "weights": 1000,
    "zeros": 750, "reason": "synflow keeps it up to 0.75", "refused": {"magnitude": "up to 0.5"},
    "quality": 30.0, "quality_cut": 29.0, "curves_cut": {}, "quality_recovered": None,
    "keeps_criterion": True, "verdict": "30 is enough",
}  # fmt: skip
