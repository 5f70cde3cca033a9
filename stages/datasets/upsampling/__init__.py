"""Pairs of pictures at low and high resolution."""
