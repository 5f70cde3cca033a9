"""Places along the axes of a network's tensors: those removed, those kept."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
RemovedIndices = Mapping[str, Mapping[int, Indices]]  # by tensor and axis, in rising order


def kept_of(length: int, gone: Indices) -> Indices:
    """The indices of an axis that are left."""
    left = np.ones(length, np.bool_)
    left[gone] = False
    return np.flatnonzero(left)
