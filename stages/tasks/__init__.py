"""What a task trains on and is judged by: samples, loss, quality. Stages never ask which it is."""
