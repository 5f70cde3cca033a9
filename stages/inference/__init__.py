"""A network over samples as a task takes them, outside training."""
