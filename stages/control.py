"""Train a control under the same total number of iterations as the selected model.

`longer` is the dense network trained for all of them; `scratch` is the selected architecture,
freshly initialised. Off by default (`controls.train`): then this only says so.
"""

import sys

from stages import artifacts
from stages.errors import UserError
from stages.running import run_stage
from stages.settings import CONTROLS, load_settings


def main() -> None:
    """Write a trained control model, or a note that it was not asked for."""
    settings = load_settings()
    if len(sys.argv) != 2 or sys.argv[1] not in CONTROLS:
        raise UserError(f"name one control: {', '.join(CONTROLS)}")
    control = sys.argv[1]
    if settings.controls.train:
        from stages.control_training import train_control  # seconds, where nothing is trained

        train_control(control, settings)
        return
    reason = "controls.train is false"
    artifacts.write_nothing(artifacts.control_path(control), reason)
    print(f"control {control}: not trained ({reason})")


if __name__ == "__main__":
    run_stage(main)
