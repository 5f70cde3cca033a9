"""The contractions of a network, its convolutions and linear layers, as matrices."""
