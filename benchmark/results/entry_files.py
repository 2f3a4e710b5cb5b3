"""Read and write entry files; those of other people are not trusted."""

import json
from collections import Counter
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.benchmark.core.names import MAPPER_NAME, MAPPER_NAME_RULE, SOURCE_FILE
from graftbench.benchmark.results.packing import pack, unpack
from graftbench.benchmark.results.schema import SCHEMA_VERSION, Entry, MapperRecord, SuiteIdentity
from graftbench.benchmark.results.stored_entry import StoredEntry

MAX_ENTRY_BYTES = 2**26  # an entry of the pocket suite has a million


class EntryOwner(BaseModel):
    """Whose results an entry holds, whatever the version of its schema."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    mapper: MapperRecord
    suite: SuiteIdentity


def read_owner(path: Path) -> EntryOwner:
    """Return whose results the entry in a file holds; UserError where it says nothing of them."""
    try:
        return EntryOwner.model_validate_json(read_bytes(path))
    except ValidationError as error:
        raise UserError(f"{path} is no entry: {first_error(error)}.") from error


def read_entry(path: Path | str) -> Entry:
    """Read the entry in a file; UserError where it is none, or is of another version of the schema."""
    path = Path(path)
    raw = read_bytes(path)
    try:
        entry = unpack(StoredEntry.model_validate_json(raw))
    except ValidationError as error:
        raise UserError(f"{path} is no entry: {_sentence(error)}") from error
    _refuse_duplicate_keys(path, raw)
    if not MAPPER_NAME.fullmatch(entry.mapper.name):
        raise UserError(f"{path}: a mapper's name is {MAPPER_NAME_RULE}; {entry.mapper.name[:80]!r} is not.")
    for name in entry.mapper.files:
        if not SOURCE_FILE.fullmatch(name):
            raise UserError(f"{path}: {name[:80]!r} is no name of a source file of a mapper.")
    return entry


def read_bytes(path: Path, most: int = MAX_ENTRY_BYTES) -> bytes:
    """Return the bytes of a file; UserError where it is none, cannot be read, or has more than `most`."""
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


def _refuse_duplicate_keys(path: Path, raw: bytes) -> None:
    """Raise UserError where a key of the JSON is there twice: readers differ in which of the values they take."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        unique_keys = dict(pairs)
        if len(unique_keys) < len(pairs):
            name = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise UserError(f"{path} is no entry: it says {name[:80]!r} more than once.")
        return unique_keys

    json.loads(raw, object_pairs_hook=unique)


def _sentence(error: ValidationError) -> str:
    """Return the first fault of an entry, in one sentence; the version of its schema comes before all others."""
    of_version = [one for one in error.errors() if one["loc"] == ("schema_version",)]
    if not of_version:
        return f"{first_error(error)}."
    if of_version[0]["type"] == "missing":
        return "it does not say which version of the schema it is written in."
    stated = of_version[0]["input"]
    older = isinstance(stated, int) and stated < SCHEMA_VERSION
    advice = "score the mapper again" if older else "take a newer graftbench"
    return f"its schema has version {str(stated)[:20]}, and version {SCHEMA_VERSION} is read: {advice}."


def entry_text(entry: Entry) -> str:
    """Return the JSON text of an entry, one line per cell and per shared value: small, and easy to compare."""
    stored = pack(entry)
    facts = {"schema_version": SCHEMA_VERSION} | stored.model_dump(mode="json", exclude={"shared", "cells"})
    shared = stored.shared.model_dump(mode="json", exclude_defaults=True)
    lists = ",\n".join(f"{_compact(kind)}: {_lines(values)}" for kind, values in shared.items())
    cells = _lines([cell.model_dump(mode="json", exclude_defaults=True) for cell in stored.cells])
    parts = [f"{_compact(name)}: {_compact(value)}" for name, value in facts.items()]
    return "{\n" + ",\n".join([*parts, f'"shared": {{\n{lists}\n}}', f'"cells": {cells}']) + "\n}\n"


def _lines(values: list[Any]) -> str:
    return "[\n" + ",\n".join(map(_compact, values)) + "\n]"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
