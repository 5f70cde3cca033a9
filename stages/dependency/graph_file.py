"""The dependency graph as JSON; indices are written as runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stages.dependency.graph import Frozen, Graph, Group, Removed, Slice
from stages.errors import UserError
from stages.networks.indices import Indices

SCHEMA = 2


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """Describe a graph with plain values; equal graphs give equal content.

    What a group's units own of an axis is written as ranges `first:stop:step`, one after the
    other: unit by unit, or first what every unit owns first (`by` column) where that is shorter.
    """
    groups = [
        {
            "name": group.name,
            "units": group.units,
            "slices": [
                {"tensor": part.tensor, "axis": part.axis, "role": part.role}
                | _written(part.indices)
                for part in group.slices
            ],
        }
        for group in graph.groups
    ]
    frozen = [
        {"tensor": f.tensor, "axis": f.axis, "count": f.count, "reason": f.reason}
        for f in graph.frozen
    ]
    return {"schema": SCHEMA, "groups": groups, "frozen": frozen}


def graph_from_json(content: Mapping[str, Any]) -> Graph:
    """Read what `graph_to_json` wrote.

    Raises:
        UserError: if it is of another schema, or damaged.
    """
    if content.get("schema") != SCHEMA:
        raise UserError(f"the graph has schema {content.get('schema')}: run `dvc repro` again")
    try:
        groups = tuple(
            Group(
                group["name"],
                tuple(Slice(s["tensor"], s["axis"], s["role"], _read(s)) for s in group["slices"]),
            )
            for group in content["groups"]
        )
        return Graph(groups, tuple(Frozen(**frozen) for frozen in content["frozen"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the graph is damaged ({error}): run `dvc repro -f graph`") from error


def _written(indices: Indices) -> dict[str, Any]:
    by_unit, by_column = to_ranges(indices.ravel()), to_ranges(indices.ravel("F"))
    by = "unit" if len(by_unit) <= len(by_column) else "column"
    return {
        "each": indices.shape[1],
        "by": by,
        "indices": by_unit if by == "unit" else by_column,
    }


def _read(part: Mapping[str, Any]) -> Indices:
    flat = from_ranges(part["indices"])
    shape = (-1, part["each"]) if part["by"] == "unit" else (part["each"], -1)
    read = flat.reshape(shape)
    return read if part["by"] == "unit" else np.ascontiguousarray(read.T)


def to_ranges(indices: Indices) -> str:
    """Write numbers as ranges `first:stop:step`, each as long as can be."""
    steps = np.diff(indices)
    turns = [*(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(indices) - 1]
    texts, start = [], 0
    for turn in turns:  # up to there the step stays the same
        if turn < start:
            continue  # that number has been taken by the range before
        step = int(steps[start]) if turn > start else 1
        first, last = int(indices[start]), int(indices[turn])
        texts.append(f"{first}:{last + (1 if step > 0 else -1)}:{step}")
        start = turn + 1
    return " ".join(texts)


def from_ranges(text: str) -> Indices:
    """Read what `to_ranges` wrote."""
    ranges = (tuple(map(int, one.split(":"))) for one in text.split())
    every = [np.arange(first, stop, step) for first, stop, step in ranges]
    return np.concatenate([np.empty(0, np.int64), *every])


def removed_from_text(written: Mapping[str, str]) -> Removed:
    """Units that a model has lost, as places in the groups of the dense network."""
    return {name: from_ranges(text) for name, text in written.items()}
