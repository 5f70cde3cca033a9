"""Sections on networks and their training."""

from pathlib import Path
from typing import Any, Literal

from stages.settings.pruning import Regime
from stages.settings.section import AnyCount, Count, Positive, Section, Share


class Network(Section):
    """What is built, the weights it starts from, and whether all but its last layer is frozen.

    `weights` is a file, or `torchvision` for the weights that torchvision gives with a network.
    """

    factory: str
    arguments: dict[str, Any]
    weights: Path | None
    backbone: Literal["trained", "frozen"]


class Training(Section):
    """Where and in which precision training runs."""

    device: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["no", "fp16", "bf16"]


class Phase(Section):
    """A phase of training: `epochs` of `iterations` each, with a validation after every epoch.

    Zero epochs keep the weights as they are.
    """

    epochs: AnyCount
    iterations: Count
    learning_rate: Positive


class Ceilings(Section):
    """The largest penalty of each regime, in units of weight decay."""

    growing: Positive
    selected: Positive


class Sparsity(Section):
    """Sparsity learning: penalties grow in `grow_epochs` and are held in `hold_epochs`."""

    regime: Regime | Literal["auto"]
    ceiling: Ceilings
    iterations: Count
    grow_epochs: Count
    hold_epochs: AnyCount
    close_to_zero: Share
    learning_rate: Positive
