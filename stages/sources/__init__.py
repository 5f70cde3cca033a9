"""Where data come from. Imported by `prepare` alone: what it makes is in `datasets/`."""
