"""Tracing a network with `torch.export`: what all files are made from."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from stages.errors import UserError
from stages.exporting.quiet import cause, quiet

FIXED = re.compile(r"\.size\(\)\[(\d)\] as dynamic but your code specialized")

Longest = Mapping[int, int | None]  # dynamic axes, and how long they may be; None: as long as any


def traced(network: nn.Module, shape: tuple[int, ...], longest: Longest) -> ExportedProgram:
    """`network` as it evaluates inputs of a `shape`, some axes of which may have other lengths.

    Lengths may have to be multiples, where the network wants that: then the program says so.

    Raises:
        UserError: if it cannot be traced so.
    """
    example = torch.zeros((2, *shape[1:]) if 0 in longest else shape)
    dynamic = {
        axis: Dim.DYNAMIC if most is None else Dim(f"axis{axis}", min=1, max=most)
        for axis, most in longest.items()
    }
    try:
        with quiet():
            return torch.export.export(
                network.cpu().eval(), (example,), dynamic_shapes=(dynamic,), strict=False
            )
    except Exception as error:  # whatever the exporter or a user's own forward pass may raise
        fixed = FIXED.search(str(error))
        reason = f"it runs with one length of axis {fixed[1]} only" if fixed else cause(error)
        raise UserError(f"the network cannot be exported: {reason}") from error


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a traced network as `torch.export` does.

    Raises:
        UserError: if it cannot be written.
    """
    try:
        with quiet():
            torch.export.save(program, path)
    except Exception as error:  # whatever the exporter may raise
        raise UserError(f"the network cannot be saved by torch.export: {cause(error)}") from error


def load_program(path: Path) -> nn.Module:
    """Read what `save_program` wrote."""
    return torch.export.load(path).module()
