"""Channels out of a network, by its dependency graph: importance, budget, removal, masking."""
