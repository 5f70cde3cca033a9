"""What models and runtimes in 8 bits are called in records."""

EIGHT_BIT = "_8bit"  # ends the name of a model, and of a runtime where the pruned one is in 8 bits
