"""How long a network of any widths would take, from times of its own layers on this machine."""
