"""Splitting labelled samples into parts."""

import numpy as np

from stages.datasets.classification.samples import Indices, Labelled, Split
from stages.datasets.parts import PARTS
from stages.errors import UserError


def split_labelled(data: Labelled, validation: float, test: float, seed: int) -> Split:
    """Split at random by `seed`; every class, over all its SNRs, gives each part its share.

    Raises:
        UserError: if a class has too few samples to give every part one.
    """
    rng, parts = np.random.default_rng(seed), {part: [np.empty(0, np.int64)] for part in PARTS}
    snrs = np.zeros(len(data.y)) if data.snr_db is None else data.snr_db
    for label, name in enumerate(data.classes):
        members = rng.permutation(np.flatnonzero(data.y == label))
        if len(members) < len(PARTS):
            raise UserError(
                f"class {name} has {len(members)} samples: train, validation and test need one each"
            )
        left = members[np.argsort(snrs[members], kind="stable")]
        for part, share in (("validation", validation), ("test", test)):
            count = max(1, round(share * len(members)))
            places = spread(len(left), min(count, len(left) - (1 if part == "test" else 2)))
            parts[part].append(left[places])
            left = np.delete(left, places)
        parts["train"].append(left)
    return {part: np.sort(np.concatenate(chosen)) for part, chosen in parts.items()}


def spread(length: int, count: int) -> Indices:
    """`count` places of `length`, as evenly spread as can be."""
    return np.asarray((np.arange(count) + 0.5) * length / count, np.int64)
