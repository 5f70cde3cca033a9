"""Tables of quality by recipe: what is lost of the dense network, and how far ours is ahead."""

import math
import statistics
from pathlib import Path

import numpy as np

from tests.benchmarks.quality_items import Items, interval, items_path
from tests.benchmarks.quality_recipes import RECIPES

OURS = "repaired"
ITEM = ("seed", "recipe", "target", "iterations")
HEAD = f"{'task':>24} {'target':>6} {'iterations':>10} "

Row = dict[str, str]
Case = tuple[str, str, str, str]  # task, source, target, iterations


def print_losses(rows: list[Row]) -> None:
    """A line per task, target and iterations, a column per recipe: lost of dense, and deviation."""
    recipes = [name for name in RECIPES if any(row["recipe"] == name for row in rows)]
    print("\nvalidation: quality minus dense, mean of seeds (deviation)")
    print(HEAD + " ".join(f"{name:>18}" for name in recipes))
    for case in cases_of(rows):
        cells = (lost(same(rows, case, recipe)) for recipe in recipes)
        print(begin(case) + " ".join(f"{text:>18}" for text in cells))


def lost(rows: list[Row]) -> str:
    losses = [float(row["quality"]) - float(row["dense_quality"]) for row in rows]
    if any(map(math.isnan, losses)):
        return "not reached"
    spread = f" ({statistics.stdev(losses):.4f})" if len(losses) > 1 else ""
    return f"{statistics.mean(losses):+.4f}{spread}" if losses else ""


def print_differences(rows: list[Row], file: Path) -> None:
    """As many columns: ours minus the recipe on the test part, 95 % over items."""
    others = [n for n in RECIPES if n != OURS and any(row["recipe"] == n for row in rows)]
    print(f"\ntest: {OURS} minus recipe, mean of seeds [95 % over items]; * is a difference")
    print(HEAD + " ".join(f"{name:>26}" for name in others))
    for case in cases_of(rows):
        ours = by_seed(same(rows, case, OURS), file)
        cells = (difference(ours, by_seed(same(rows, case, name), file)) for name in others)
        print(begin(case) + " ".join(f"{text:>26}" for text in cells))


def by_seed(rows: list[Row], file: Path) -> dict[str, Items]:
    paths = {r["seed"]: items_path(file, *(r[name] for name in ITEM)) for r in rows}
    return {seed: np.load(path) for seed, path in paths.items() if path.is_file()}


def difference(ours: dict[str, Items], theirs: dict[str, Items]) -> str:
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return ""
    paired = np.mean([ours[seed] - theirs[seed] for seed in seeds], axis=0)
    low, high = interval(paired)
    return f"{paired.mean():+.4f} [{low:+.4f}, {high:+.4f}]{'*' if low > 0 or high < 0 else ' '}"


def cases_of(rows: list[Row]) -> list[Case]:
    kinds = dict.fromkeys((r["task"], r["source"], r["target"], r["iterations"]) for r in rows)
    return sorted(kinds, key=lambda case: (*case[:2], float(case[2]), int(case[3])))


def same(rows: list[Row], case: Case, recipe: str) -> list[Row]:
    task, source, target, iterations = case
    wanted = {"task": task, "source": source, "recipe": recipe, "target": target}
    wanted["iterations"] = iterations
    return [row for row in rows if wanted.items() <= row.items()]


def begin(case: Case) -> str:
    return f"{case[0] + ' ' + case[1]:>24} {case[2]:>6} {case[3]:>10} "
