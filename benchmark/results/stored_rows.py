"""Answers as rows of a table hold them, and what they come to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, TypeAdapter, ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import MOST, Count, Figure
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.results.answers import CLEAN, Answer
from graftbench.benchmark.results.rows import SCHEMA
from graftbench.benchmark.results.summary import Summary, summarised

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
    items = [Example(Prompt(a.prompt), None, clusters[a.item], a.group) for a in first.values()]
    clean = {a.item: a.completion for a in found if a.split == CLEAN}
    return summarised(found, items, ids, clean if clean.keys() >= set(ids) else {})


_EXPERIMENT = ["task", "variant", "pair"]
_DRAW = [*_EXPERIMENT, "track", "seed", "condition", "draw"]
_ANSWER = [*_DRAW, "split", "item", "strength"]
_ALWAYS = (*_EXPERIMENT, "split", "item", "prompt", "condition", "draw", "completion", "reason", "group", "marks")
_JSON: dict[str, TypeAdapter[Any]] = {
    "marks": TypeAdapter(dict[str, bool | Figure | None]),
    "unscored": TypeAdapter(dict[str, str]),
    "took": TypeAdapter(tuple[Count, Count, Annotated[float, Field(ge=0, le=MOST)] | None]),
}
_TEST = pa.scalar("test")
_Wrong = tuple[int, str]  # a row from 0, and what is wrong with it


def check_rows(table: pa.Table, path: Path) -> None:
    """UserError, with the row, where one lacks something, holds what no run writes, is there twice, or lacks others."""
    found = chain(_lacking(table), _no_json(table), _not_finite(table), _twice(table), _incomplete(table))
    for row, what in found:
        raise UserError(f"Row {row + 1} of {path} {what}: it is not what a run wrote, so score the mapper again.")


def _lacking(table: pa.Table) -> Iterator[_Wrong]:
    for name in _ALWAYS:
        if table[name].null_count:
            yield pc.index(pc.is_null(table[name]), True).as_py(), f"has no {name}"


def _no_json(table: pa.Table) -> Iterator[_Wrong]:
    """Texts that are not the JSON that they should be; the same text is in many rows, and is read once."""
    for name, form in _JSON.items():
        for text in (one for one in table[name].unique().to_pylist() if one is not None):
            try:
                form.validate_json(text, strict=True)
            except ValidationError as error:
                yield pc.index(table[name], text).as_py(), f"has no {name} that can be read ({_last(error)})"


def _last(error: ValidationError) -> str:
    return error.errors(include_url=False, include_input=False)[-1]["msg"]  # of what it could be, a number


def _not_finite(table: pa.Table) -> Iterator[_Wrong]:
    row = pc.index(pc.is_finite(table["strength"]), False).as_py()
    if row >= 0:
        yield row, "has a strength that is not finite"


def _twice(table: pa.Table) -> Iterator[_Wrong]:
    """Answers that are there more than once; to a test prompt there is one, at whichever strength."""
    once = pc.if_else(pc.equal(table["split"], _TEST), pa.scalar(None, pa.float64()), table["strength"])
    answers = _numbered(table.set_column(table.schema.get_field_index("strength"), "strength", once))
    found = answers.group_by(_ANSWER).aggregate([("row", "max"), ("row", "count")])
    more = found.filter(pc.greater(found["row_count"], pa.scalar(1)))
    if more.num_rows:
        yield pc.min(more["row_max"]).as_py(), "is there twice"


def _incomplete(table: pa.Table) -> Iterator[_Wrong]:
    """Draws of a condition in which not every test prompt of the experiment was asked."""
    tested = _numbered(table).filter(pc.equal(table["split"], _TEST))
    asked = tested.group_by(_EXPERIMENT).aggregate([("item", "count_distinct")])
    found = tested.group_by(_DRAW).aggregate([("row", "min"), ("row", "count")]).join(asked, _EXPERIMENT)
    less = found.filter(pc.less(found["row_count"], found["item_count_distinct"]))
    if less.num_rows:
        yield pc.min(less["row_min"]).as_py(), "is of a draw that lacks some of the test prompts"


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column("row", pa.array(np.arange(table.num_rows)))
