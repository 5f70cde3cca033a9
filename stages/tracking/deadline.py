"""One deadline over all that MLflow and its server do, and no credentials in what is told of it."""

import importlib
import multiprocessing
import os
import re
from multiprocessing.connection import Connection
from urllib.parse import unquote, urlsplit

from stages.tracking.results import Result, log_result

DEADLINE_S, IMPORT_S = 30, 120
SECRETS = "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"  # in the environment


class TrackingError(Exception):
    """Why there is no run."""


def log_within(result: Result, experiment: str, seconds: float = DEADLINE_S) -> str:
    """Log a result (`log_result`) in a process of its own, which is killed when the time is up.

    A server can drip its answer byte by byte and a database wait for a lock: only from outside is
    one deadline over all of it. What MLflow and its libraries print is not shown, as it may hold
    the password of `MLFLOW_TRACKING_URI`.

    Raises:
        TrackingError: with the reason in one line, free of credentials.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, result, experiment), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(IMPORT_S):
            raise TrackingError(f"MLflow could not be imported within {IMPORT_S} s")
        ours.recv()
        if not ours.poll(seconds):
            raise TrackingError(f"no answer within {seconds:g} s")
        run_id, problem = ours.recv()
    except EOFError:
        raise TrackingError("the process that logs ended without a word") from None
    finally:
        process.kill()
        process.join()
    if problem:
        raise TrackingError(without_credentials(problem))
    return str(run_id)


def _tell(connection: Connection, result: Result, experiment: str) -> None:
    """Say that MLflow is there, then the run's id, or what went wrong."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    importlib.import_module("mlflow")
    connection.send(None)
    try:
        connection.send((log_result(result, experiment), None))
    except Exception as error:
        connection.send((None, f"{type(error).__name__}: {error}"))


def without_credentials(text: str) -> str:
    """`text` without user and password of any address, nor what the environment holds of them."""
    where = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", ""))
    known = {where.password, unquote(where.password or ""), *map(os.environ.get, SECRETS)}
    for secret in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(secret, "***")
    return re.sub(r"//[^\s/'\"]*@", "//", text)
