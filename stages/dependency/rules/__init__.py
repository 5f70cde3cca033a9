"""What operators do to labels: a file a kind of operator. Importing this room registers all."""

from stages.dependency.rules import (
    concatenation,
    contraction,
    elementwise,
    indexing,
    layout,
    normalisation,
    reduction,
)
from stages.dependency.rules.registry import rule_for

__all__ = [
    "concatenation", "contraction", "elementwise", "indexing", "layout", "normalisation",
    "reduction", "rule_for",
]  # fmt: skip
