"""The pipeline: thin stage scripts, and the rooms (packages) that hold the work."""
