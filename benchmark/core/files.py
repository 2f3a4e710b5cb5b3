"""Kinds of paths, and files that are written atomically."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.unfinished import unfinished_beside


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


_synced = ContextVar("synced", default=True)


@contextmanager
def unsynced() -> Iterator[None]:
    """Leave it to the system, during a `with` block, when what is written gets to the disk: for what can be made again.

    On ext4 beside other work, a small file took 12 to 28 ms where it was synced, and 0.1 ms where it was not.
    """
    token = _synced.set(False)
    try:
        yield
    finally:
        _synced.reset(token)


def put_in_place(new: Path, place: Path) -> None:
    """Rename a finished file or folder to `place`, where it is whole even after a power cut."""
    if _synced.get():
        for each in (*new.rglob("*"), new):
            _sync(each)
    new.replace(place)
    if _synced.get():
        with suppress(OSError):  # not every disk can sync a folder; what is in place is whole, or else not there
            _sync(place.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder, and move it to `path` when the block ends without an error.

    What a process that was killed left of the same file is removed. UserError where the disk is full or cannot be
    written to.
    """
    unfinished: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = unfinished_beside(path)
        new.touch(0o600, exist_ok=False)
        unfinished = new
        yield unfinished
        unfinished.chmod(0o644)
        put_in_place(unfinished, path)
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


Form = TypeVar("Form", bound=BaseModel)
_LONGEST_PLACE = 200  # characters: keys in a user's file may be of any length


class FormError(NamedTuple):
    """Place of a validation error, such as `cells.0.seed` (empty for the value itself), and its reason."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}" if self.where else self.why


def first_error(error: ValidationError) -> FormError:
    """Return the first error that pydantic found, in one line without a full stop."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))[:_LONGEST_PLACE]
    why = first["msg"].removeprefix("Value error, ").partition("\n")[0]
    return FormError(where, why)


def read_json_lines(path: Path, form: type[Form], what: str, each: str) -> list[Form]:
    """Parse every line of a JSON Lines file as `form`, passing over empty ones.

    UserError where the file cannot be read, or a line is not of that form. `what` names the file in messages, `each`
    one of its lines.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # not splitlines: a text may hold other line ends
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The {what} {path} cannot be read: {error}.") from error
    rows: list[Form] = []
    for i, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(form.model_validate_json(line))
        except ValidationError as error:
            raise UserError(f"Line {i} of {path} is no {each}: {first_error(error)}.") from error
    return rows


def read_yaml(path: Path, form: type[Form], what: str) -> tuple[Form, bytes]:
    """Parse a YAML file as `form`, and return its bytes too; UserError where it cannot be read or has another form."""
    try:
        raw = path.read_bytes()
        return form.model_validate(yaml.safe_load(raw)), raw
    except OSError as error:
        raise UserError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise UserError(f"The {what} {path} is no YAML: {' '.join(str(error).split())}.") from error
    except ValidationError as error:
        raise UserError(f"The {what} {path} cannot be used: {first_error(error)}.") from error
    except (ValueError, RecursionError) as error:  # bytes that are no text, a day that is none, too deep
        raise UserError(f"The {what} {path} is no YAML: {' '.join(str(error).split())[:200]}.") from error
