"""Labelled samples."""
