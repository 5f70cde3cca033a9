"""What a person reads when something is wrong: one line, a non-zero exit, no traceback."""

import os
import sys
from collections.abc import Callable

TRACEBACK = "PRUNELINE_TRACEBACK"


class UserError(Exception):
    """Something the user can mend: says in one line what is wrong, where, and what to do."""

    def __init__(self, message: str):
        super().__init__(" ".join(message.splitlines()))


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`; a `UserError` becomes one line on stderr and exit status 1.

    Anything else is a defect of ours and shows its traceback at once. `PRUNELINE_TRACEBACK=1`
    shows that of a `UserError` too.
    """
    try:
        main()
    except UserError as error:
        if os.environ.get(TRACEBACK):
            raise
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: nothing half-written was kept; run it again")
