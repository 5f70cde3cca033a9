"""From the times of layers to that of the network they are part of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls


@dataclass(frozen=True)
class Rates:
    """What a network takes: `layers` times the sum of its layers', `moved` for each number that it
    moves beside, `weight` for each parameter, and `rest` in any case.

    Parameters cost by themselves, as in a network they come from memory; those of a layer that is
    timed alone stay in the processor's cache.
    """

    layers: float
    moved: float
    weight: float
    rest: float

    def time(self, layers: float, moved: float, weights: float) -> float:
        """The time of a network of which these are known."""
        return self.layers * layers + self.moved * moved + self.weight * weights + self.rest


def rates_of(
    layers: Sequence[float],
    moved: Sequence[float],
    weights: Sequence[float],
    times: Sequence[float],
) -> Rates:
    """The rates, none of them negative, that come closest to the times of whole networks.

    Relative errors count.
    """
    features = np.array([layers, moved, weights, np.ones(len(times))]).T / np.array(times)[:, None]
    scale = features.max(axis=0)
    scale[scale == 0] = 1
    found, _ = nnls(features / scale, np.ones(len(times)))
    return Rates(*(float(value) for value in found / scale))
