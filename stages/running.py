"""Running a stage or a command: how a failure is told, who stops it, whether its result is kept.

DVC can be killed while its stage goes on. Then the stage stops, and never writes over the result of
a newer run.
"""

import errno
import gc
import hashlib
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from stages.errors import UserError

CLAIMS = Path(".dvc/tmp/claims")  # the newest run of every command, by its words
SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh"}  # they may stand between DVC and a stage
LOOK_S, PATIENCE_S = 1.0, 10.0

TRACEBACK = "PRUNELINE_TRACEBACK"
STOPPED = "stopped: nothing half-written was kept; run it again"

# NumPy, safetensors and ffmpeg tell a full disk each in its own way; so do allocators of memory.
NO_SPACE = "No space left on device", "StorageFull", "requested and 0 written"
NO_MEMORY = "out of memory", "can't allocate memory", "not enough memory", "Cannot allocate memory"

_held: tuple[Path, str] | None = None


class Stopped(BaseException):
    """Whoever started this process is gone, or asked it to end."""


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`; a `UserError` becomes one line on stderr and exit status 1.

    So does what the machine lacks. Anything else is a defect of ours and shows its traceback at
    once. `PRUNELINE_TRACEBACK=1` shows that of a `UserError` too.
    """
    try:
        with newest_run(), while_awaited():
            main()
    except (KeyboardInterrupt, Stopped):
        sys.exit(STOPPED)
    except Exception as error:
        line = str(error) if isinstance(error, UserError) else lacking(error)
        if line is None or os.environ.get(TRACEBACK):
            raise
        sys.exit(f"error: {line}")
    finally:
        gc.freeze()  # else the interpreter looks through all of torch for garbage before it ends


def lacking(error: Exception) -> str | None:
    """What the machine lacks where `error` says so: space, memory or leave; None otherwise.

    Libraries tell it in words of their own, or in the text of an error of another kind.
    """
    text, number = str(error), getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or any(sign in text for sign in NO_SPACE):
        return "the disk is full: make room and run it again"
    if isinstance(error, MemoryError) or any(sign in text for sign in NO_MEMORY):
        return "memory ran out: lower batches or frames in params.yaml, or close other programs"
    if isinstance(error, OSError) and number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename} cannot be read or written ({error.strerror}): free it"
    return None


@contextmanager
def newest_run() -> Iterator[None]:
    """Inside of it, this process is the newest run of its command, until a newer one begins."""
    global _held
    if not CLAIMS.parent.is_dir():  # no DVC here, nothing to be outrun by
        yield
        return
    words = "\0".join([Path(sys.argv[0]).stem, *sys.argv[1:]])
    path, token = CLAIMS / hashlib.sha256(words.encode()).hexdigest()[:16], uuid.uuid4().hex
    CLAIMS.mkdir(exist_ok=True)
    path.write_text(token)
    _held = path, token
    try:
        yield
    finally:
        if not _outrun():
            path.unlink(missing_ok=True)
        _held = None


def refuse_if_outrun(result: Path) -> None:
    """Refuse to write a result for which a newer run of the same command has begun.

    Raises:
        UserError: saying so.
    """
    if _outrun():
        raise UserError(f"{result}: a newer run of this command has begun, so this one ends")


def _outrun() -> bool:
    if _held is None:
        return False
    path, token = _held
    return not path.is_file() or path.read_text() != token


@contextmanager
def while_awaited() -> Iterator[None]:
    """Stop what is inside of it (`Stopped`) by a SIGTERM, or once the DVC that runs it is gone."""
    before = signal.signal(signal.SIGTERM, _stop)
    done = threading.Event()
    if "DVC_STAGE" in os.environ and (caller := _caller()):
        threading.Thread(target=_watch, args=(caller, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        signal.signal(signal.SIGTERM, before)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise Stopped


def _caller() -> psutil.Process | None:
    ancestors = psutil.Process().parents()
    return next((a for a in ancestors if a.name() not in SHELLS), None)


def _watch(caller: psutil.Process, done: threading.Event) -> None:
    while not done.wait(LOOK_S):
        if not _lives(caller):
            os.kill(os.getpid(), signal.SIGTERM)
            if not done.wait(PATIENCE_S):
                os._exit(1)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
