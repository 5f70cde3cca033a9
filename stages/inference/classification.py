"""A classifier over labelled samples."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stages.datasets.classification.reading import Prepared
from stages.device import device_of

BATCH = 128  # samples at once


def predicted(network: nn.Module, part: Prepared, every: int = 1) -> NDArray[np.int64]:
    """The class of the highest score for each sample of a part, or for one of `every` so many."""
    device, places = device_of(network), range(0, len(part), every)
    network.eval()
    labels = []
    with torch.no_grad():
        for start in range(0, len(places), BATCH):
            samples = [part[place] for place in places[start : start + BATCH]]
            scores = network(torch.from_numpy(np.stack(samples)).to(device))
            labels.append(scores.argmax(1).cpu())
    found: NDArray[np.int64] = torch.cat(labels).numpy()
    return found
