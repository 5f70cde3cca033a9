"""A small classifier of pictures, of the shape that the MATLAB pruning example uses."""

import itertools
import math

from torch import Tensor, nn


class LeNetSmall(nn.Module):
    """Convolutions of 8, 16 and 32 channels, then one linear layer: (N, C, H, W) to (N, classes).

    21,578 parameters for 10 classes of 28 x 28 grey pictures (Deep Learning Toolbox, "Parameter
    Pruning and Quantization of Image Classification Network").
    """

    def __init__(self, classes: int, input_shape: tuple[int, int, int]):
        super().__init__()
        channels, *size = input_shape
        widths = (channels, 8, 16, 32)
        self.features = nn.Sequential()
        for number, (inside, outside) in enumerate(itertools.pairwise(widths)):
            if number:
                self.features.append(nn.MaxPool2d(2))
            self.features.append(nn.Conv2d(inside, outside, 3, padding=1))
            self.features.append(nn.ReLU())
        self.head = nn.Linear(widths[-1] * math.prod(side // 4 for side in size), classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(1))  # type: ignore[no-any-return]
