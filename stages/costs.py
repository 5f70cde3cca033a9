"""Measure what the network takes at any widths on this machine, where time or widths ask for it."""

from typing import Any

from stages import artifacts
from stages.channels.prices import NS_PER_MS
from stages.errors import UserError
from stages.running import run_stage
from stages.settings import Settings, load_settings

UNUSED = "neither pruning.goal time nor pruning.round_to auto asks for it"


def main() -> None:
    """Write the cost table, and what it was measured with."""
    settings = load_settings()
    if not settings.pruning.needs_costs:
        artifacts.write_json(artifacts.COSTS, {"unused": UNUSED})
        print(f"no cost table: {UNUSED}")
        return
    costs = _measured(settings)
    artifacts.write_json(artifacts.COSTS, costs)
    print(f"costs in {costs['runtime']}: {_told(costs)}")


def _measured(settings: Settings) -> dict[str, Any]:
    # Torch and all that measures takes seconds to import, which most runs can do without.
    from stages.costing.costs import measured_costs
    from stages.costing.machine import machine_for
    from stages.dependency.graph_file import graph_from_json
    from stages.device import device_for
    from stages.exporting.runtimes import IN_TORCH, refuse_missing
    from stages.networks.build import build_network

    runtime, round_to = settings.costs.runtime, settings.pruning.round_to
    refuse_missing(runtime)
    content, device = artifacts.read_json(artifacts.GRAPH), device_for(settings.training)
    described = content["network"]
    shape = tuple(described["latency_shape"])
    network = build_network(described["factory"], described["arguments"]).eval()
    fixed = None if round_to == "auto" else round_to
    try:
        costs = measured_costs(network, graph_from_json(content), shape, runtime, device, fixed)
    except UserError as error:
        if runtime in IN_TORCH:
            raise
        raise UserError(f"costs.runtime {runtime}: {error}: take torch") from None
    machine = machine_for(runtime, device)
    return {"runtime": runtime, "shape": list(shape), "machine": machine, **costs}


def _told(costs: dict[str, Any]) -> str:
    from stages.costing.machine import told

    both = zip(costs["predicted_ns"], costs["measured_ns"], strict=True)
    worst = max(abs(predicted / measured - 1) for predicted, measured in both)
    dense_ms = costs["measured_ns"][0] / NS_PER_MS
    return (
        f"{dense_ms:.3g} ms for the dense network, widths pay in multiples of "
        f"{costs['multiple']}; of {len(costs['measured_ns'])} networks the worst is off by a share "
        f"of {worst:.3f} ({told(costs['machine'])})"
    )


if __name__ == "__main__":
    run_stage(main)
