"""What a task is: its data, loss, quality and baseline. Stages never ask which task it is."""
