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
    """The first line of what was raised first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return COLOURS.sub("", str(error)).strip().split("\n")[0]
