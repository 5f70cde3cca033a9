"""Classification of signals and pictures."""
