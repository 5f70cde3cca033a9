"""What tells one saved model from another."""

import hashlib
from pathlib import Path

from stages.artifacts import NETWORK, WEIGHTS


def model_digest(folder: Path) -> str:
    """SHA-256 of all that makes up a saved model."""
    digest = hashlib.sha256()
    for name in (NETWORK, WEIGHTS):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
