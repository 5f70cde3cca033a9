"""VMAF of a sequence against its original, as ffmpeg measures it."""

import json
import tempfile
from pathlib import Path

from stages.video.ffmpeg import run


def vmaf(made: Path, original: Path) -> float:
    """Mean VMAF (model v0.6.1, 0 to 100) of one Y4M file against another of the same format."""
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "vmaf.json"
        graph = f"[0:v][1:v]libvmaf=log_fmt=json:log_path={log}:n_threads=1"
        run(
            ["-i", str(made), "-i", str(original), "-lavfi", graph, "-f", "null", "-"],
            f"measuring VMAF of {made.name}",
        )
        measured = json.loads(log.read_text(encoding="utf-8"))
    return float(measured["pooled_metrics"]["vmaf"]["mean"])
