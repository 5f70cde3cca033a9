"""Decode, check and split the source, once."""

from stages import artifacts
from stages.errors import run_stage
from stages.settings import load_settings
from stages.tasks.choose import task_of


def main() -> None:
    """Write the prepared data, and test sequences where outputs are frames of video."""
    task = task_of(load_settings())
    with artifacts.fresh_folder(artifacts.PREPARED) as folder:
        print(f"prepared {task.prepare(folder)}")
    if task.video is None:
        artifacts.write_nothing(artifacts.SEQUENCES, "only up-sampling makes video")
        return
    with artifacts.fresh_folder(artifacts.SEQUENCES) as folder:
        names = task.video.prepare(folder)
    print(f"test sequences: {', '.join(names) or 'none'}")
    if not names:
        artifacts.write_nothing(artifacts.SEQUENCES, "test pictures are too small for a sequence")


if __name__ == "__main__":
    run_stage(main)
