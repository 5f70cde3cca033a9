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

    Anything else is a defect of the pipeline: it is named in one line too. In both cases
    `PRUNELINE_TRACEBACK=1` shows the whole traceback.
    """
    if os.environ.get(TRACEBACK):
        return main()
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: nothing half-written was kept; run it again")
    except Exception as error:
        what = " ".join(str(error).split())
        sys.exit(
            f"error: unexpected {type(error).__name__}: {what} ({TRACEBACK}=1 shows the traceback)"
        )
