"""What importing a stage must not import: it costs seconds that most stages never need."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = sorted(
    path.stem for path in (ROOT / "stages").glob("*.py") if "run_stage(main)" in path.read_text()
)
OTHERS = [stage for stage in STAGES if stage not in ("track", "plot")]

SCRIPT = """
import importlib, sys
for group in {groups!r}:
    for name in group:
        importlib.import_module("stages." + name)
    print(*sorted({{module.partition(".")[0] for module in sys.modules}}))
"""

pytestmark = pytest.mark.slow


def imported_by(*groups: list[str]) -> list[set[str]]:
    """Import groups of stages one after the other; the packages that are there after each."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(groups=groups)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_stages_import_neither_tracking_nor_drawing_nor_accelerate() -> None:
    assert {"prepare", "finetune", "sparsify", "prune", "recover", "evaluate"} <= set(OTHERS)
    most, with_plot = imported_by(OTHERS, ["plot"])
    assert {"stages", "torch"} <= most
    assert not most & {
        "mlflow",
        "seaborn",
        "matplotlib",
        "pandas",
        "accelerate",
        "dvc",
        "onnxruntime",
    }
    assert "matplotlib" in with_plot
    assert not with_plot & {"mlflow", "accelerate", "dvc"}


def test_tracking_does_not_import_drawing() -> None:
    (found,) = imported_by(["track"])
    assert "stages" in found
    assert not found & {"seaborn", "matplotlib", "accelerate", "dvc"}
