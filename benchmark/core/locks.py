"""Folders that one run at a time writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from graftbench.benchmark.core.errors import UserError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for one run; UserError where another run holds it or it cannot be written to."""
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UserError(f"Another run is writing to {folder}. Wait for it, or name another with --out.") from error
    except OSError as error:
        raise UserError(f"{folder} cannot be written to: {error.strerror}. Name another with --out.") from error
    try:
        yield
    finally:
        lock.release()
