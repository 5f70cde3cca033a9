"""How sparsity grows while a network trains."""


def sparsity_at(share: float) -> float:
    """Share of the final sparsity at a `share` of the way, both in [0, 1]: fast first, then slow.

    The cubic schedule of Zhu and Gupta ("To prune, or not to prune", 2017, eq. 1) from 0 on.
    """
    return 1 - (1 - min(max(share, 0.0), 1.0)) ** 3
