"""Files that are written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place when the block ends well.

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
    """Write a text file whole."""
    with whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def copy_into(folder: Path, source: Path) -> None:
    """Copy every file below `source` to its place below `folder`, each whole."""
    for file in sorted(source.rglob("*")):
        if file.is_file():
            with whole(folder / file.relative_to(source)) as unfinished:
                shutil.copyfile(file, unfinished)
