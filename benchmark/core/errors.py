"""Mistakes of the user's, told in one sentence; their tracebacks go to the log alone."""

import logging
import os
import sys
from pathlib import Path

from graftbench.benchmark.core.text import visible


class UserError(Exception):
    """Something the user can put right: the message says what was wrong, where, and what to do, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))  # names of files and words of other people's stand in it


def cache_folder() -> Path:
    """Where cached work and the log lie: `GRAFTBENCH_CACHE`, or a folder in the user's cache."""
    chosen = os.environ.get("GRAFTBENCH_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "graftbench"


class _Log(logging.FileHandler):
    """A log whose own failures are one sentence each."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 (as logging has it)
        """Say that the log cannot be written; what was to be logged is told to the user elsewhere."""
        sys.stderr.write(f"graftbench: the log {self.baseFilename} cannot be written: {sys.exc_info()[1]}.\n")


def log_to_file() -> Path | None:
    """Send what is logged to `graftbench.log` in the cache folder; None where that cannot be written."""
    path = cache_folder() / "graftbench.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _Log(path)
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("graftbench")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return path
