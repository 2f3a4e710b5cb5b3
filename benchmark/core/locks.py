"""Folders that one process at a time writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from graftbench.benchmark.core.errors import UserError, cache_folder
from graftbench.benchmark.core.hashing import digest

LOCKS = "locks"  # the folder in the cache


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


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process of this user's changes a folder in which no lock is to lie: it lies in the cache.

    UserError where the cache cannot be written.
    """
    lock = FileLock(cache_folder() / LOCKS / f"{digest(str(folder.resolve()))[:16]}.lock")
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise UserError(
            f"{lock.lock_file} cannot be written: {error.strerror or error}. Set GRAFTBENCH_CACHE to another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
