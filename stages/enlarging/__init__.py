"""Enlarging: frames and pictures of any size by a network, over tiles, in bounded memory."""
