"""Libraries that export networks: silenced, and their failures as one line."""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
TALKATIVE = ("torch.onnx", "torch.fx", "torch.export", "torch._dynamo", "executorch", "root", "")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence exporters, which report their progress in many lines."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    nowhere = io.StringIO()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def cause(error: BaseException) -> str:
    """What was raised first, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in COLOURS.sub("", str(error)).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # OpenVINO begins with a place in its own code, and ends with a summary.
    return lines[-1 if lines[0].startswith("Exception from") else 0].strip(" -")
