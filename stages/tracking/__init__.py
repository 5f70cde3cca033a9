"""MLflow: what a run holds, how it is logged, and the deadline that it is logged within."""
