"""Kinds of paths, and files that are written atomically."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from graftbench.benchmark.core.errors import UserError


def is_file(path: Path) -> bool:
    """Return True for a regular file, False for a device or pipe; UserError where the path itself is broken."""
    return S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return True for a folder; UserError where the path itself is broken."""
    return S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    """Return the mode of what a path leads to, 0 where nothing is there."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:  # a name that is too long, links in a circle
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, and move it to `path` when the block ends without an error.

    UserError where the disk is full or cannot be written to.
    """
    unfinished: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        unfinished = Path(name)
        yield unfinished
        unfinished.chmod(0o644)
        unfinished.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}. Make room, or choose another folder."
        ) from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_write(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def copy_into(folder: Path, source: Path) -> None:
    """Copy every file below `source` to its place below `folder`, each atomically."""
    for file in sorted(source.rglob("*")):
        if file.is_file():
            with atomic_write(folder / file.relative_to(source)) as unfinished:
                shutil.copyfile(file, unfinished)
