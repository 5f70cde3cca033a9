"""Fitting layers, one after another, to what the same layers of another network give.

Least squares by layer, on inputs that are fitted already (He et al., "Channel pruning for
accelerating very deep neural networks", ICCV 2017, section 3.1). Nothing is trained.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from stages.contractions.calls import Call, Layer
from stages.contractions.fit import Fit, Scale, Solve
from stages.contractions.mapped import Mapped
from stages.contractions.running import outputs_of, run_until

MEMORY = 2**29  # bytes of what the teacher gives, kept at once
FURTHER = "with all layers refitted, outputs would be further from what they were"


@dataclass(frozen=True)
class Repair:
    """What was refitted, what was left as it was and why, and how far outputs are off.

    Of the layers, those `mapped` have one map of channels for all taps, and those `scaled` were
    only scaled and shifted, output by output. Errors are mean squared distances of the network's
    outputs from the teacher's.
    """

    layers: tuple[str, ...]
    mapped: tuple[str, ...]
    scaled: tuple[str, ...]
    left: dict[str, str]
    error_before: float
    error_after: float


class Teacher:
    """What a network gives on batches of inputs.

    With `keeps`, what its layers give is kept for the next network that is fitted to it.
    """

    def __init__(self, network: nn.Module, inputs: Sequence[Tensor], keeps: bool = False):
        self.network, self.inputs, self.keeps = network, inputs, keeps
        self.outputs = [outputs_of(network, batch) for batch in inputs]
        self._kept: dict[Layer, list[Tensor]] = {}

    def distance(self, network: nn.Module) -> float:
        """Mean squared distance of another network's outputs."""
        squares = count = 0.0
        for batch, given in zip(self.inputs, self.outputs, strict=True):
            for one, other in zip(outputs_of(network, batch), given, strict=True):
                squares += float((one.double() - other.double()).square().sum())
                count += one.numel()
        return squares / count

    def rows(self, block: Sequence[Fit]) -> dict[Layer, list[Tensor]]:
        """Rows of what it gives, by layer, in the order of batches and calls."""
        found: dict[Layer, list[Tensor]] = {fit.layer: [] for fit in block}

        def keep(fit: Fit, call: Call) -> None:
            found[fit.layer].append(fit.wanted(call))

        new = [fit for fit in block if fit.layer not in self._kept]
        wanted = {number: partial(keep, fit) for fit in new for number in fit.used.calls}
        for batch in self.inputs if wanted else ():
            run_until(self.network, batch, wanted)
        found |= {fit.layer: self._kept[fit.layer] for fit in block if fit not in new}
        if self.keeps:
            self._kept |= found
        return found


def refit(network: nn.Module, teacher: Teacher, fits: Sequence[Fit], solve: Solve) -> Repair:
    """Fit layers of `network`, in place and in turn, on the teacher's inputs.

    A layer keeps its weights where those that are solved for fit no better; all do where the
    network's outputs on these inputs would be further from the teacher's.
    """
    before, kept = teacher.distance(network), copy.deepcopy(network.state_dict())
    done: list[Fit] = []
    for block in _blocks(fits):
        targets = teacher.rows(block)
        done += [fit for fit in block if fit.run(targets.pop(fit.layer), solve)]
    after, names = teacher.distance(network), _names(done, Fit)
    if after <= before:
        return Repair(names, _names(done, Mapped), _names(done, Scale), {}, before, after)
    network.load_state_dict(kept)
    return Repair((), (), (), dict.fromkeys(names, FURTHER), before, before)


def _names(fits: Sequence[Fit], kind: type[Fit]) -> tuple[str, ...]:
    return tuple(fit.layer.weight for fit in fits if isinstance(fit, kind))


def _blocks(fits: Sequence[Fit]) -> Iterator[list[Fit]]:
    """Layers in turn, as many at once as have room for what the teacher gives."""
    block: list[Fit] = []
    for fit in fits:
        if block and sum(one.target_bytes for one in [*block, fit]) > MEMORY:
            yield block
            block = []
        block.append(fit)
    if block:
        yield block
