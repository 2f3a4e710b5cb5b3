"""Errors for users, in one sentence; their tracebacks go to the log alone."""

import logging
import os
import sys
from pathlib import Path

from graftbench.benchmark.core.escaping import escape_control


class UserError(Exception):
    """An error that the user can fix: the message says in one line what was wrong, where, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(escape_control(message))  # it may quote names of files and text of others


class CellError(Exception):
    """An error of one cell that its message tells in full: no traceback is kept."""


class TooFewPairsError(ValueError):
    """An error of a mapper's fit that says in its message why the pairs are too few for it."""


def cache_folder() -> Path:
    """Return the folder of cached work and of the log: `GRAFTBENCH_CACHE`, or one in the user's cache."""
    chosen = os.environ.get("GRAFTBENCH_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "graftbench"


class _Log(logging.FileHandler):
    """A log file that reports its own failures in one sentence."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 (as logging has it)
        """Report that the log cannot be written; the user sees the logged error elsewhere."""
        sys.stderr.write(f"graftbench: the log {self.baseFilename} cannot be written: {sys.exc_info()[1]}.\n")


def log_to_file() -> Path | None:
    """Send log records to `graftbench.log` in the cache folder, and to no former one; None where that is impossible."""
    path = cache_folder() / "graftbench.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _Log(path)
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("graftbench")
    for former in [each for each in logger.handlers if isinstance(each, _Log)]:
        logger.removeHandler(former)
        former.close()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return path
