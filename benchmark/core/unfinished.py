"""Names of files and folders that are not finished yet; what a killed process left under such a name is removed."""

import glob
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

_PID_NAMESPACE = Path("/proc/self/ns/pid")  # Linux: processes of another container have the same numbers


def unfinished_beside(path: Path) -> Path:
    """Return a new name next to `path`, for what takes its place once it is whole.

    What processes that are gone left there is removed first. On a shared disk that of other machines stays, since it
    may be in use.
    """
    prefix = f".{path.name}.unfinished-{_machine()}-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):
        number = re.match(r"\d+", left.name.removeprefix(prefix))
        if number and not _is_running(int(number[0])):
            remove(left)
    return path.with_name(f"{prefix}{os.getpid()}-{uuid4().hex[:6]}")


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder next to `path` that is gone after the block; OSError where it cannot be made."""
    folder = unfinished_beside(path)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove a file, or a folder with everything in it, as far as that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@cache
def _machine() -> str:
    """Return a short name of the machine, or of the container, whose process numbers this process knows."""
    namespace = _PID_NAMESPACE.readlink() if _PID_NAMESPACE.is_symlink() else ""
    return sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]


def _is_running(number: int) -> bool:
    import psutil  # needed after a process that was killed, and by no other

    return psutil.pid_exists(number)
