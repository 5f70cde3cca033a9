"""A network over frames and pictures of any size, in tiles, in bounded memory."""
