"""The prepared data on disk: what `prepare` writes and every other stage reads."""
