"""Decode, check and split the source, once."""

from stages import artifacts
from stages.errors import run_stage
from stages.settings import load_settings
from stages.tasks.choose import task_of


def main() -> None:
    """Write the prepared data."""
    task = task_of(load_settings())
    with artifacts.fresh_folder(artifacts.PREPARED) as folder:
        print(f"prepared {task.prepare(folder)}")


if __name__ == "__main__":
    run_stage(main)
