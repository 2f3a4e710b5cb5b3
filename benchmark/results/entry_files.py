"""Entries as files, read with suspicion, for they come from anybody."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pydantic import ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import MAPPER, MAPPER_IN_WORDS, SOURCE_FILE
from graftbench.benchmark.results.schema import SCHEMA_VERSION, Entry

MOST_BYTES = 2**26  # of an entry; the pocket suite's are a few million


def read_entry(path: Path) -> Entry:
    """The entry in a file; UserError, in one sentence, where it is none."""
    raw = read_bytes(path)
    try:
        entry = Entry.model_validate_json(raw)
    except ValidationError as error:
        raise UserError(f"{path} is no entry: {_first(error)}") from error
    _refuse_twice(path, raw)
    if "schema_version" not in entry.model_fields_set:
        raise UserError(f"{path} is no entry: it does not say which version of the schema it is written in.")
    if not MAPPER.fullmatch(entry.mapper.name):
        raise UserError(f"{path}: a mapper's name is {MAPPER_IN_WORDS}; {entry.mapper.name[:80]!r} is not.")
    for name in entry.mapper.files:
        if not SOURCE_FILE.fullmatch(name):
            raise UserError(f"{path}: {name[:80]!r} is no name of a source file beside a mapper.")
    return entry


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """What is in a file; UserError where it is none, cannot be read, or is too large."""
    try:
        if not S_ISREG(path.stat().st_mode):  # a pipe or a device may never end
            raise UserError(f"{path} cannot be read: it is no file.")
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > most:
        raise UserError(f"{path} has more than the {most} bytes that it may have.")
    return raw


def _refuse_twice(path: Path, raw: bytes) -> None:
    """UserError where JSON that is an entry says something twice: whoever reads it may take the one or the other."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            name = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise UserError(f"{path} is no entry: it says {name[:80]!r} more than once.")
        return found

    json.loads(raw, object_pairs_hook=once)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    if where == "schema_version":
        told = str(first["input"])[:20]
        return f"its schema has version {told}, and versions 1 to {SCHEMA_VERSION} are read: take a newer graftbench."
    return f"{where[:200] + ': ' if where else ''}{first['msg'].splitlines()[0]}."


def entry_text(entry: Entry) -> str:
    """An entry as it is written: a line for each cell, so that a file is small and what changed in it is seen."""
    return "".join(_lines(entry)) + "\n"


def _lines(entry: Entry) -> Iterator[str]:
    for name, value in entry.model_dump(mode="json").items():
        yield f"{',' if name != 'schema_version' else '{'}\n{json.dumps(name)}: "
        if isinstance(value, list):
            yield "[\n" + ",\n".join(map(_compact, value)) + "\n]"
        else:
            yield _compact(value)
    yield "\n}"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
