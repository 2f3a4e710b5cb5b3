"""Mistakes of the user's, told in one sentence; their tracebacks go to the log alone."""

import logging
import os
from pathlib import Path


class UserError(Exception):
    """Something the user can put right: the message says what was wrong, where, and what to do."""


def cache_folder() -> Path:
    """Where cached work and the log lie: `GRAFTBENCH_CACHE`, or a folder in the user's cache."""
    chosen = os.environ.get("GRAFTBENCH_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "graftbench"


def log_to_file() -> Path | None:
    """Send what is logged to `graftbench.log` in the cache folder; None where that cannot be written."""
    path = cache_folder() / "graftbench.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path)
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("graftbench")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return path
