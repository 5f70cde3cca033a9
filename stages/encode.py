"""Encode the test sequences at a QP, with every codec in every mode."""

import sys

from stages import artifacts
from stages.errors import UserError, run_stage
from stages.settings import load_settings
from stages.tasks.choose import task_of


def main() -> None:
    """Write the streams of the QP that the argument names; only a note where there is no video."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        raise UserError("name one QP: python -m stages.encode QP")
    qp = int(sys.argv[1])
    folder = artifacts.coded_path(qp)
    if reason := artifacts.why_nothing(artifacts.SEQUENCES):
        artifacts.write_nothing(folder, reason)
        print(f"nothing to encode: {reason}")
        return
    video = task_of(load_settings()).video
    assert video is not None
    with artifacts.fresh_folder(folder) as partial:
        print(video.encode(qp, artifacts.SEQUENCES, partial))


if __name__ == "__main__":
    run_stage(main)
