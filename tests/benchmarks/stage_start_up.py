"""How long each stage takes to start, against importing torch alone.

Run by hand: `python tests/benchmarks/stage_start_up.py`. Prints a table; medians of one run.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TURNS = 5


def seconds(module: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, check=True)
    return time.perf_counter() - start


def main() -> None:
    stages = sorted(
        f"stages.{path.stem}"
        for path in (ROOT / "stages").glob("*.py")
        if "run_stage(main)" in path.read_text(encoding="utf-8")
    )
    modules = ["torch", *stages]
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(TURNS):
        for module in modules:
            taken[module].append(seconds(module))
    reference = statistics.median(taken["torch"])
    print(f"{'import':<20} {'median_s':>9} {'of torch':>9}")
    for module in modules:
        median = statistics.median(taken[module])
        print(f"{module:<20} {median:>9.2f} {median / reference:>9.2f}")


if __name__ == "__main__":
    main()
