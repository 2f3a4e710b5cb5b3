"""Read and write entry files; those of other people are not trusted."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pydantic import ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.benchmark.core.names import MAPPER_NAME, MAPPER_NAME_RULE, SOURCE_FILE
from graftbench.benchmark.results.schema import SCHEMA_VERSION, Entry

MAX_ENTRY_BYTES = 2**26  # an entry of the pocket suite has a few million


def read_entry(path: Path) -> Entry:
    """Read the entry in a file; UserError where it is none, or is of a newer schema."""
    raw = read_bytes(path)
    try:
        entry = Entry.model_validate_json(raw)
    except ValidationError as error:
        raise UserError(f"{path} is no entry: {_sentence(error)}") from error
    _refuse_duplicate_keys(path, raw)
    if "schema_version" not in entry.model_fields_set:
        raise UserError(f"{path} is no entry: it does not say which version of the schema it is written in.")
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
    """Return the first fault of an entry, in one sentence."""
    first = first_error(error)
    if first.where == "schema_version":
        stated = str(error.errors()[0]["input"])[:20]
        return f"its schema has version {stated}, and versions 1 to {SCHEMA_VERSION} are read: take a newer graftbench."
    return f"{first}."


def entry_text(entry: Entry) -> str:
    """Return the JSON text of an entry, one line per cell: small, and easy to compare between versions."""
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
