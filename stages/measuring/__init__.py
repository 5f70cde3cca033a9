"""What a network costs: parameters, multiply-accumulates, latency, bytes."""
