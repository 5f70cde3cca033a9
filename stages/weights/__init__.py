"""Weight pruning: scores, orders of removal and masks, sweeps over sparsity, the trade-off."""
