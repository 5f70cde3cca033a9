"""Quality by recipe, target, iterations and seed, ours and Torch-Pruning's, from one dense model.

Run by hand in a project where `dvc repro` has prepared the data and the graph of the task in use:
`python -m tests.benchmarks.quality FILE.csv`. A row is written as soon as it is known, and those
that FILE holds are not made again, so a run can be stopped and goes on. It prints two tables: what
is lost on validation, the mean over seeds and the deviation; and how far ours is ahead on the test
part, with an interval over its items. Dense models, one a seed, and the quality of every test item
lie in a folder named as FILE, beside it. `--iterations` with nothing after it prints the tables
alone. The rows of README's table are in `tests/benchmarks/results/`, without these folders: other
machines go on with dense networks of their own, and `dense_quality` says of each row which it was.
"""

import argparse
import csv
import itertools
import math
import time
from pathlib import Path

import numpy as np
from torch import nn

from stages import artifacts
from stages.dependency.graph import Graph
from stages.dependency.graph_file import graph_from_json
from stages.errors import UserError
from stages.measuring.parameters import count_parameters
from stages.networks.build import build_network, resolve
from stages.networks.saved import About, load_network, save_network
from stages.settings import Settings, load_settings
from stages.tasks.task import Task, task_of
from stages.training.loop import Plan, seed_everything, train
from tests.benchmarks.quality_items import items_path, quality_of_items
from tests.benchmarks.quality_recipes import RECIPES, Given, UnreachedError
from tests.benchmarks.quality_tables import Row, print_differences, print_losses

COLUMNS = ("task", "source", "seed", "recipe", "target", "iterations", "parameters", "quality",
           "dense_quality", "seconds")  # fmt: skip
KEY = COLUMNS[:6]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--recipes", nargs="+", default=[*RECIPES], choices=[*RECIPES])
    parser.add_argument("--targets", nargs="+", type=float, default=[0.5, 0.8, 0.9, 0.95])
    parser.add_argument("--iterations", nargs="*", type=int, default=[0, 200, 650, 1950])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    chosen = parser.parse_args()
    rows = read(chosen.file)
    cases = itertools.product(chosen.iterations, chosen.seeds, chosen.targets, chosen.recipes)
    for iterations, seed, target, recipe in cases:
        settings = load_settings().model_copy(update={"seed": seed})
        key = (settings.task, source(settings), seed, recipe, target, iterations)
        if tuple(map(str, key)) not in rows and not pointless(recipe, target, iterations, chosen):
            measured = measure(settings, recipe, target, iterations, chosen.file)
            append(chosen.file, dict(zip(COLUMNS, (*key, *measured), strict=True)))
    print_losses([*read(chosen.file).values()])
    print_differences([*read(chosen.file).values()], chosen.file)


def pointless(recipe: str, target: float, iterations: int, chosen: argparse.Namespace) -> bool:
    """The dense network alone is the same at every target; new weights want all iterations."""
    if recipe == "scratch":
        return bool(iterations < max(chosen.iterations))
    return recipe == "longer" and (not iterations or target != chosen.targets[0])


def source(settings: Settings) -> str:
    return str(settings.data.model_dump()[settings.task]["source"])


def measure(
    settings: Settings, recipe: str, target: float, iterations: int, file: Path
) -> tuple[int | str, float, float, float]:
    """Parameters, quality on validation, that of the dense network, and seconds.

    Quality is NaN where a recipe cannot meet the target.
    """
    task, graph = task_of(settings), graph_of()
    dense, about, start = dense_of(settings, task, file.with_suffix("") / f"dense{settings.seed}")
    seed_everything(settings.seed)
    given = Given(dense, about, start, graph, target, iterations, task, settings)
    begun = time.perf_counter()
    try:
        network = RECIPES[recipe](given)
    except (UnreachedError, UserError) as reason:
        print(f"{recipe} at {target}: {reason}")
        return "", math.nan, task.validate(dense), round(time.perf_counter() - begun, 1)
    taken = time.perf_counter() - begun
    path = items_path(file, settings.seed, recipe, target, iterations)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, quality_of_items(network, settings))
    return count_parameters(network), task.validate(network), task.validate(dense), round(taken, 1)


def graph_of() -> Graph:
    return graph_from_json(artifacts.read_json(artifacts.GRAPH))


def dense_of(settings: Settings, task: Task, folder: Path) -> tuple[nn.Module, About, nn.Module]:
    """The dense network of a seed, where it is from, and the one before its training."""
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
    return network, about, start


def read(file: Path) -> dict[tuple[str, ...], Row]:
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


if __name__ == "__main__":
    main()
