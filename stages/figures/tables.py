"""Tables of the report: models on the test part, steps of channel pruning, time by runtime."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.figures.drawing import Table
from stages.figures.times import time_text
from stages.measuring.eight_bit import EIGHT_BIT
from stages.tasks.quality import Quality

COUNTS = ("parameters", "macs", "latency_ms", "bytes", "zip_bytes", "iterations")
RUNTIMES = {
    "torch": "PyTorch",
    "torch_channels_last": "PyTorch, channels_last",
    "onnx": "ONNX Runtime",
    "onnx_cuda": "ONNX Runtime, CUDA",
    "onnx_tensorrt": "ONNX Runtime, TensorRT",
    "openvino": "OpenVINO",
    "executorch": "ExecuTorch",
}
WAY = ("quality_before", "quality_after", "quality_repaired")  # of a step, on validation


def models_table(
    summary: Mapping[str, Any], quality: Quality, metrics: Sequence[str], names: Sequence[str]
) -> Table:
    """A row a model with its metrics on the test part and its costs."""
    rows = []
    for name in names:
        model = summary[name]
        cells = [name]
        cells += [
            quality.number(model[m]) if m == quality.name else f"{model[m]:.4f}" for m in metrics
        ]
        for count in COUNTS:
            value = model.get(count)
            form = time_text(model) if count == "latency_ms" and value else f"{value or 0:,d}"
            cells.append("" if value is None else form)
        rows.append(cells)
    return ["model", *metrics, *COUNTS], rows


def steps_table(records: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a step: what it removed, and quality on validation on the way."""
    rows = []
    for step, record in records.items():
        removal = record["removal"]
        values = [removal[key] if removal else None for key in WAY]
        way = ["" if value is None else f"{value:.3f}" for value in values]
        verdict = "passed on" if record["passed_on"] else str(record["keeps_criterion"]).lower()
        rows.append(
            [step, f"{1 - record['share_left']:.4f}", f"{record['parameters']:,}", *way,
             f"{record['quality']:.3f}", verdict]
        )  # fmt: skip
    head = ["step", "share removed", "parameters", "before removal", "after removal"]
    return [*head, "after repair", "after recovery", "keeps the criterion"], rows


def runtimes_table(times: Mapping[str, Any]) -> Table:
    """A row a runtime: both models' times, and how many times less of time and MACs are needed."""
    rows = [
        [runtime_name(name), time_text(row, "dense_"), time_text(row), f"{row['time_gain']:.2f}",
         f"{times['macs_gain']:.2f}", f"{row['gain_ratio']:.2f}"]
        for name, row in sorted(times["by_runtime"].items(), key=lambda item: _place(item[0]))
    ]  # fmt: skip
    return ["runtime", "dense (ms)", "pruned (ms)", "time gain", "MACs gain", "ratio"], rows


def _place(key: str) -> tuple[int, str]:
    """PyTorch first, and 8 bits after float."""
    return list(RUNTIMES).index(key.removesuffix(EIGHT_BIT)), key


def runtime_name(key: str) -> str:
    """What people call a runtime."""
    small = key.endswith(EIGHT_BIT)
    name = RUNTIMES.get(key.removesuffix(EIGHT_BIT), key)
    return f"{name}, pruned in 8 bits" if small else name
