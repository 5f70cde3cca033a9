"""Writing a network as an ExecuTorch program, for phones and the like (an extra)."""

from pathlib import Path

from torch import nn

from stages.errors import UserError
from stages.exporting.program import Longest, traced
from stages.exporting.quiet import cause, quiet


def write_executorch(
    network: nn.Module, shape: tuple[int, ...], longest: Longest, path: Path
) -> None:
    """Write `network` for XNNPACK; memory is planned for the longest axes, so all have a bound.

    Raises:
        UserError: if it cannot be exported so.
    """
    program = traced(network, shape, longest)
    try:
        with quiet():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
                XnnpackPartitioner,
            )
            from executorch.exir import to_edge_transform_and_lower

            lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
            content = lowered.to_executorch().buffer
    except Exception as error:  # whatever the exporter may raise
        reason = f"the network cannot be exported to ExecuTorch: {cause(error)}"
        raise UserError(reason) from error
    path.write_bytes(content)
