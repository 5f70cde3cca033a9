"""Structured pruning: which channels must go together, which matter least, and their removal."""
