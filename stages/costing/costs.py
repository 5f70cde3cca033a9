"""The cost table of a network: what it takes in a runtime at any widths, on this machine."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from stages.channels.prices import Prices
from stages.channels.removal import tensor_shapes
from stages.channels.tables import Table
from stages.costing.calibration import Rates, rates_of
from stages.costing.layers import Contraction, Use, uses_of
from stages.costing.moved import moved_by_unit, numbers_moved
from stages.costing.multiples import (
    COARSEST,
    FINER,
    multiple_that_pays,
    multiples_of,
    width_at,
)
from stages.costing.timed_layers import layer_tables
from stages.costing.whole import whole_times, with_widths
from stages.dependency.graph import Graph
from stages.measuring.macs import macs_of
from stages.measuring.parameters import count_parameters

# Of units that networks have, on average, to which prices are fitted.
SHARES = (0.85, 0.7, 0.55, 0.4, 0.3, 0.2)
APART = 0.3  # how far the groups of such a network differ, as a share of its own


def measured_costs(
    network: nn.Module,
    graph: Graph,
    shape: tuple[int, ...],
    runtime: str,
    device: torch.device,
    round_to: int | None = None,
) -> dict[str, Any]:
    """Times of layers over widths, which multiples of channels pay, and how well it all predicts.

    Multiples are found unless there is `round_to`.

    Raises:
        UserError: if the network cannot be exported to the runtime.
    """
    uses = uses_of(network.cpu(), shape)
    found = layer_tables(list(dict.fromkeys(u.contraction for u in uses)), runtime, device)
    layers = _prices(network, shape, uses, found)
    pays = round_to or _multiple(network, graph, shape, runtime, device)
    multiples = multiples_of(graph, pays, _part_of_time(network, graph, layers))
    tried = [network, *_of_mixed_widths(network, graph, multiples)]
    times = whole_times(tried, shape, runtime, device)
    sums = [layers.cost(tensor_shapes(one)) for one in tried]
    moved = [numbers_moved(one, shape) for one in tried]
    weights = [count_parameters(one) for one in tried]
    rates = rates_of(sums, moved, weights, times)
    predicted = [rates.time(*of_one) for of_one in zip(sums, moved, weights, strict=True)]
    return {
        "multiple": pays,
        "multiples": multiples,
        "measured_ns": [round(time) for time in times],
        "predicted_ns": [round(time) for time in predicted],
        "time": _known(network, graph, shape, layers, rates, moved[0]),
    }


def _prices(
    network: nn.Module,
    shape: tuple[int, ...],
    uses: Sequence[Use],
    found: Mapping[Contraction, Table],
) -> Prices:
    """Times of layers in ns, before they are set right by those of whole networks.

    A multiplication with a weight that no table has costs what it does in the others.
    """
    tables: dict[str, list[Table]] = {}
    for use in uses:
        table, whole = found[use.contraction], 1 / use.share
        rows = tuple(whole * length for length in table.axes[0])
        tables.setdefault(use.weight, []).append(Table((rows, table.axes[1]), table.values))
    time = sum(found[use.contraction].at(*use.contraction.lengths) for use in uses)
    macs = sum(use.contraction.macs(use.contraction.lengths) for use in uses)
    rate = time / macs if macs else 0.0
    others = {n: m for n, m in macs_of(network, shape).by_tensor.items() if n not in tables}
    elements = {n: rate * m / network.get_parameter(n).numel() for n, m in others.items()}
    return Prices("time", elements, tables=tables)


def _multiple(
    network: nn.Module, graph: Graph, shape: tuple[int, ...], runtime: str, device: torch.device
) -> int:
    """The multiple of channels that pays, as whole networks of one each show."""
    kinds = (0, *FINER, COARSEST)
    networks = [
        with_widths(network, graph, {group.name: width_at(group, kind) for group in graph.groups})
        for kind in kinds
    ]
    macs = [macs_of(one, shape).count for one in networks]
    times = whole_times(networks, shape, runtime, device)
    return multiple_that_pays(
        dict(zip(kinds, macs, strict=True)), dict(zip(kinds, times, strict=True))
    )


def _part_of_time(network: nn.Module, graph: Graph, layers: Prices) -> dict[str, float]:
    """What share of all layers' time is of those that a group makes, follows through or reads."""
    costs = {name: layers.of(name, shape) for name, shape in tensor_shapes(network).items()}
    whole = sum(costs.values()) or 1.0
    return {
        group.name: sum(costs[name] for name in {part.tensor for part in group.slices}) / whole
        for group in graph.groups
    }


def _of_mixed_widths(
    network: nn.Module, graph: Graph, multiples: Mapping[str, int]
) -> list[nn.Module]:
    """Networks as removal leaves them: groups narrowed differently, in their multiples."""
    draw, found = random.Random(0), []
    for share in SHARES:
        kept = {}
        for group in graph.groups:
            each, part = multiples[group.name], share * (1 + APART * draw.uniform(-1, 1))
            kept[group.name] = max(each, round(part * group.units / each) * each)
        found.append(with_widths(network, graph, kept))
    return found


def _known(
    network: nn.Module,
    graph: Graph,
    shape: tuple[int, ...],
    layers: Prices,
    rates: Rates,
    moved: int,
) -> dict[str, Any]:
    """Prices as JSON (see `stages.channels.prices`), set right by the rates of whole networks."""
    by_unit, lengths = moved_by_unit(network, graph, shape), tensor_shapes(network)
    changing = sum(each * lengths[name][axis] for name in by_unit for axis, each in by_unit[name])
    parameters = {name for name, _ in network.named_parameters()}
    return {
        "tables": {n: [_json(t, rates.layers) for t in ts] for n, ts in layers.tables.items()},
        "elements": {
            name: rates.weight + rates.layers * layers.elements.get(name, 0.0)
            for name in sorted(parameters)
        },
        "lengths": {n: [[axis, rates.moved * x] for axis, x in by_unit[n]] for n in by_unit},
        "rest": rates.rest + rates.moved * (moved - changing),
    }


def _json(table: Table, factor: float) -> dict[str, Any]:
    values = [[round(factor * value) for value in row] for row in table.values]
    return {"axes": table.axes, "values": values}
