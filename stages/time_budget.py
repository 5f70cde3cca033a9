"""Time as measured, where it is the goal: the cost table predicts it, and is set right by that."""

from collections.abc import Mapping
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from stages.channels.importance import Importance
from stages.channels.prices import NS_PER_MS
from stages.costing.whole import open_whole, times_of
from stages.errors import UserError
from stages.step_model import StepModel, choose_for, without

NEAR = 0.02  # of the time that was asked for
TRIES = 5


class Timing:
    """Measures networks in the runtime that a step's schedule file names, beside the dense one.

    Compared are the least times: what else the machine does only adds to them. On a noisy machine
    their ratio deviated by a share of 0.019, that of medians by 0.032. A bound is in median ms.
    """

    def __init__(self, dense: nn.Module, planned: Mapping[str, Any], device: torch.device):
        self.planned, self.device = planned, device
        self._folder = TemporaryDirectory()
        self._dense = self._opened(dense, "dense")

    def of(self, network: nn.Module) -> int:
        """The time of a network in ns, on the scale of the cost table's for the dense one."""
        opened = {"dense": self._dense, "network": self._opened(network, "network")}
        dense, own = times_of(opened, tuple(self.planned["shape"]))
        scale = NS_PER_MS * dense.median_ms if self.planned["absolute"] else self.planned["initial"]
        return round(own.least_ms / dense.least_ms * scale)

    def _opened(self, network: nn.Module, name: str) -> nn.Module:
        path = Path(self._folder.name) / f"{name}.onnx"
        shape, runtime = tuple(self.planned["shape"]), self.planned["runtime"]
        return open_whole(network, shape, runtime, path).to(self.device)


def budget_as_measured(
    model: StepModel,
    importance: Importance,
    planned: Mapping[str, Any],
    budget: int,
    timing: Timing,
) -> int:
    """What the cost table must be asked for so that the network takes `budget`, as measured.

    By rule of three; once something was too slow and something too fast, always between the two.
    """
    asked, nearest, best = float(budget), inf, budget
    fast, slow = 0.0, inf
    for _ in range(TRIES):
        try:
            chosen = choose_for(model, importance, planned, round(asked))
        except UserError:
            if nearest == inf:
                raise
            break  # the table wants less than there can be: the nearest that was tried stays
        off = timing.of(without(model, chosen)) / budget - 1
        if abs(off) < abs(nearest):
            nearest, best = off, round(asked)
        if abs(off) <= NEAR:
            break
        fast, slow = (fast, asked) if off > 0 else (asked, slow)
        asked /= 1 + off
        if not fast < asked < slow:
            asked = (fast + slow) / 2
    return best
