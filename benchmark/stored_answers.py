"""Answers as rows of a table hold them, and what they come to."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import UserError
from .experiments.clean import CLEAN
from .experiments.conditions import Answer
from .experiments.setting import Item
from .experiments.summary import Summary, summarised
from .rows import SCHEMA
from .sound_rows import check_rows
from .tokens import Prompt

MOST_ROWS = 20_000_000
Stored = Mapping[str, Any]
Group = tuple[str, str, str]  # task, variant, pair


def stored_rows(path: Path) -> list[dict[str, Any]]:
    """The rows in a file; UserError where they are none, are damaged, or were written by another version."""
    if not path.is_file():
        raise UserError(f"{path} is not there.")
    try:
        file = pq.ParquetFile(path)
        for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True):
            if [field.type for field in file.schema_arrow if field.name == name] != [kind]:
                raise UserError(f"{path} has no column {name!r} of {kind}, or two: it was written by another version.")
        if file.metadata.num_rows > MOST_ROWS:
            raise UserError(f"{path} has {file.metadata.num_rows} rows, and may have no more than {MOST_ROWS}.")
        table = file.read(columns=SCHEMA.names)
        table.validate(full=True)
        check_rows(table, path)
        return table.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from error


def groups_of(rows: Sequence[Stored]) -> dict[Group, list[int]]:
    """The rows of each experiment, by number."""
    found: dict[Group, list[int]] = {}
    for i, row in enumerate(rows):
        found.setdefault((row["task"], row["variant"], row["pair"]), []).append(i)
    return found


def of_cell(rows: Sequence[Stored], track: str, seed: int) -> list[Stored]:
    """Of the rows of an experiment those of one cell, and those that it shares with others."""
    return [row for row in rows if row["track"] is None or (row["track"], row["seed"]) == (track, seed)]


def answer_of_row(row: Stored) -> Answer:
    """A row as the answer that it was."""
    took = json.loads(row["took"]) if row["took"] else (0, 0, 0.0)
    known = {name: row[name] for name in Answer.__dataclass_fields__ if name in row}
    held = {"marks": _read(row["marks"]), "unscored": _read(row["unscored"] or "{}"), "took": took}
    return Answer(**(known | held | {"of_mapper": row["track"] is not None}))


@lru_cache(maxsize=1024)  # few texts, in hundreds of thousands of rows
def _read(text: str) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(text))


def summary_of(found: Sequence[Answer], ids: Sequence[str], clusters: Mapping[str, str]) -> Summary:
    """What the answers of a cell come to, over these prompts, whose clusters are given."""
    first = {a.item: a for a in reversed(found) if a.split == "test" and a.item in clusters}
    items = [Item(Prompt(a.prompt), None, clusters[a.item], a.group) for a in first.values()]
    clean = {a.item: a.completion for a in found if a.split == CLEAN}
    return summarised(found, items, ids, clean if clean.keys() >= set(ids) else {})
