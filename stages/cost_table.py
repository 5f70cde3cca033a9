"""The cost table as stages that choose widths use it: only on the machine that it holds for."""

from typing import Any

from stages import artifacts
from stages.errors import UserError
from stages.settings import Settings


def cost_table(settings: Settings) -> dict[str, Any]:
    """What `costs` measured; empty where nothing asks for it.

    Raises:
        UserError: if it was measured with another processor, number of threads or version.
    """
    if not settings.pruning.needs_costs:
        return {}
    from stages.costing.machine import machine_for, told
    from stages.device import device_for

    costs = artifacts.read_json(artifacts.COSTS)
    here = machine_for(costs["runtime"], device_for(settings.training))
    if costs["machine"] != here:
        raise UserError(
            f"{artifacts.COSTS} was measured with {told(costs['machine'])}, and here is "
            f"{told(here)}: measure anew with `dvc repro -f -s costs`, then run `dvc repro`"
        )
    return costs
