"""Synthesised radio signals, digits, and the user's own pictures and arrays."""
