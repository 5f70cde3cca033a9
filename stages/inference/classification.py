"""A classifier over labelled samples."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stages.datasets.classification.reading import Prepared
from stages.device import device_of

BATCH = 128  # samples at once


def predicted(network: nn.Module, part: Prepared) -> NDArray[np.int64]:
    """The class of the highest score for every sample of a part, (N,)."""
    device = device_of(network)
    network.eval()
    labels = []
    with torch.no_grad():
        for start in range(0, len(part), BATCH):
            samples = [part[index] for index in range(start, min(start + BATCH, len(part)))]
            scores = network(torch.from_numpy(np.stack(samples)).to(device))
            labels.append(scores.argmax(1).cpu())
    found: NDArray[np.int64] = torch.cat(labels).numpy()
    return found
