"""One training loop, for fine-tuning, sparsity learning, recovery and controls."""
