"""Files that are written whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from graftbench.benchmark.core.errors import UserError, cache_folder


def is_file(path: Path) -> bool:
    """Whether a path leads to a file, and to no device or pipe; UserError where it can lead nowhere."""
    return S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; UserError where it can lead nowhere."""
    return S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    """The mode of what a path leads to, 0 where nothing is there."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:  # a name that is too long, links in a circle
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


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


_REMEMBER = 2**22  # bytes from which on a hash is remembered


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file; that of a large one is remembered by path, size and time of change.

    UserError where there is no file, but a pipe or a device, which may never end.
    """
    if not is_file(file):
        raise UserError(f"{file} cannot be read: it is not there, or no file.")
    status = file.stat()
    if status.st_size < _REMEMBER:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    key = f"{file.resolve()} {status.st_size} {status.st_mtime_ns}"
    memo = cache_folder() / "hashes" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    if memo.is_file():
        known = json.loads(memo.read_text())
        if known["key"] == key:
            return str(known["sha256"])
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    write_text(memo, json.dumps({"key": key, "sha256": found}))
    return found


Form = TypeVar("Form", bound=BaseModel)


def read_lines(path: Path, form: type[Form], what: str, each: str) -> list[Form]:
    """The lines of a file that are not empty; UserError, with the number of the line, where one is not of that form."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # other marks that end lines may stand in a text
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The {what} {path} cannot be read: {error}.") from error
    found: list[Form] = []
    for i, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(form.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise UserError(f"Line {i} of {path} is no {each}: {where}: {first['msg']}.") from error
    return found


def read_file(path: Path, form: type[Form], what: str) -> tuple[Form, bytes]:
    """What a file holds, and its bytes; UserError where it cannot be read or is not of that form."""
    try:
        raw = path.read_bytes()
        return form.model_validate(yaml.safe_load(raw)), raw
    except OSError as error:
        raise UserError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise UserError(f"The {what} {path} is no YAML: {why}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        why = first["msg"].removeprefix("Value error, ")
        raise UserError(f"The {what} {path} cannot be used: {where + ': ' if where else ''}{why}.") from error
