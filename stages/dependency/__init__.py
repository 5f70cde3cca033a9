"""The dependency graph: what must be removed together, found by running a network once.

Labels flow through the network (`flow`, `rules/`), labels that meet are coupled, coupled indices
are units and groups (`units`), and each group is proven by trial (`trials`, `prunable`).
"""
