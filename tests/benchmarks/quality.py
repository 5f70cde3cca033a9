"""Quality by recipe, target, iterations and seed, ours and Torch-Pruning's, from one dense model.

Run by hand in a project where `dvc repro` has prepared the data and the graph of the task in use:
`python -m tests.benchmarks.quality FILE.csv`. A row is written as soon as it is known, and those
that FILE holds are not made again, so a run can be stopped and goes on. It prints a table: the mean
over seeds on validation, and the deviation. Dense models lie beside FILE, one a seed.
"""

import argparse
import csv
import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from torch import nn

from stages import artifacts
from stages.dependency.graph import Graph
from stages.dependency.graph_file import graph_from_json
from stages.measuring.parameters import count_parameters
from stages.networks.build import build_network, resolve
from stages.networks.saved import About, load_network, save_network
from stages.settings import Settings, load_settings
from stages.tasks.task import Task, task_of
from stages.training.loop import Plan, seed_everything, train
from tests.benchmarks.quality_recipes import RECIPES, Given

COLUMNS = ("task", "source", "seed", "recipe", "target", "iterations", "parameters", "quality",
           "dense_quality", "seconds")  # fmt: skip
KEY = COLUMNS[:6]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--recipes", nargs="+", default=[*RECIPES], choices=[*RECIPES])
    parser.add_argument("--targets", nargs="+", type=float, default=[0.5, 0.8, 0.9, 0.95])
    parser.add_argument("--iterations", nargs="+", type=int, default=[0, 200, 650, 1950])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    chosen = parser.parse_args()
    rows = read(chosen.file)
    cases = itertools.product(chosen.seeds, chosen.iterations, chosen.targets, chosen.recipes)
    for seed, iterations, target, recipe in cases:
        settings = load_settings().model_copy(update={"seed": seed})
        key = (settings.task, source(settings), seed, recipe, target, iterations)
        if tuple(map(str, key)) not in rows and not pointless(recipe, target, iterations, chosen):
            values = measure(settings, recipe, target, iterations, chosen.file.parent)
            append(chosen.file, dict(zip(COLUMNS, (*key, *values), strict=True)))
    print_table(chosen.file)


def pointless(recipe: str, target: float, iterations: int, chosen: argparse.Namespace) -> bool:
    """The dense network alone is the same at every target."""
    return recipe == "longer" and (not iterations or target != chosen.targets[0])


def source(settings: Settings) -> str:
    return str(settings.data.model_dump()[settings.task]["source"])


def measure(
    settings: Settings, recipe: str, target: float, iterations: int, folder: Path
) -> tuple[int, float, float, float]:
    """Parameters, quality on validation, that of the dense network, and seconds."""
    task, graph = task_of(settings), graph_of()
    dense, start, trained = dense_of(settings, task, folder / f"dense{settings.seed}")
    seed_everything(settings.seed)
    given = Given(dense, start, graph, target, iterations, trained, task, settings)
    begun = time.perf_counter()
    network = RECIPES[recipe](given)
    taken = time.perf_counter() - begun
    return count_parameters(network), task.validate(network), task.validate(dense), round(taken, 1)


def graph_of() -> Graph:
    return graph_from_json(artifacts.read_json(artifacts.GRAPH))


def dense_of(settings: Settings, task: Task, folder: Path) -> tuple[nn.Module, nn.Module, int]:
    """The dense network of a seed, the one before its training, and how long that was."""
    seed_everything(settings.seed)
    chosen, phase = settings.of(settings.network), settings.of(settings.finetune)
    factory, arguments = resolve(chosen.factory, chosen.arguments, task.factory_arguments())
    start = build_network(factory, arguments)
    if not (folder / artifacts.NETWORK).is_file():
        network = build_network(factory, arguments)
        network.load_state_dict(start.state_dict())
        plan = Plan("finetune", phase.epochs, phase.iterations, phase.learning_rate)
        outcome = train(network, task, plan, settings.training)
        about = About(factory, arguments, task.example_shape, iterations=outcome.iterations)
        with artifacts.fresh_folder(folder) as made:
            save_network(made, network, about)
    network, about = load_network(folder, settings.trusted)
    return network, start, about.iterations


def read(file: Path) -> dict[tuple[str, ...], dict[str, str]]:
    if not file.is_file():
        return {}
    with file.open(newline="") as table:
        return {tuple(row[name] for name in KEY): row for row in csv.DictReader(table)}


def append(file: Path, row: dict[str, object]) -> None:
    new = not file.is_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", newline="") as table:
        writer = csv.DictWriter(table, fieldnames=COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(" ".join(f"{name} {value}" for name, value in row.items()), flush=True)


def print_table(file: Path) -> None:
    """A line per task, target and iterations, a column per recipe: lost of dense, and deviation."""
    rows = [*read(file).values()]
    recipes = [name for name in RECIPES if any(row["recipe"] == name for row in rows)]
    print("\nquality minus dense, mean of seeds (deviation)")
    print(f"{'task':>24} {'target':>6} {'iterations':>10} " + " ".join(f"{n:>18}" for n in recipes))
    for case in dict.fromkeys((r["task"], r["source"], r["target"], r["iterations"]) for r in rows):
        print(f"{case[0] + ' ' + case[1]:>24} {case[2]:>6} {case[3]:>10} ", end="")
        print(" ".join(f"{text:>18}" for text in cells(rows, case, recipes)))


def cells(
    rows: list[dict[str, str]], case: tuple[str, str, str, str], recipes: list[str]
) -> Iterator[str]:
    for recipe in recipes:
        same = [r for r in rows
                if (r["task"], r["source"], r["target"], r["iterations"]) == case
                and r["recipe"] == recipe]  # fmt: skip
        lost = [float(row["quality"]) - float(row["dense_quality"]) for row in same]
        spread = f" ({statistics.stdev(lost):.4f})" if len(lost) > 1 else ""
        yield f"{statistics.mean(lost):+.4f}{spread}" if lost else ""


if __name__ == "__main__":
    main()
