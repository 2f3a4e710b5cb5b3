"""Read the rows of a run back, check them, and summarise the answers of a cell."""

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
from graftbench.benchmark.core.names import MAX_FIGURE, Count, Figure
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.results.rows import CLEAN, SCHEMA, Answer
from graftbench.benchmark.results.summary import Summary, summarise

MAX_ROWS = 20_000_000
StoredRow = Mapping[str, Any]
ExperimentKey = tuple[str, str, str]  # task, variant, pair


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows in a file, as `read_table` does."""
    return read_table(path).to_pylist()


def read_table(path: Path) -> pa.Table:
    """Read the rows in a file as a table; UserError where it is missing, damaged, or written by another version."""
    if not path.is_file():
        raise UserError(f"{path} is not there.")
    try:
        file = pq.ParquetFile(path)
        for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True):
            if [field.type for field in file.schema_arrow if field.name == name] != [kind]:
                raise UserError(f"{path} has no column {name!r} of {kind}, or two: it was written by another version.")
        if file.metadata.num_rows > MAX_ROWS:
            raise UserError(f"{path} has {file.metadata.num_rows} rows, and may have no more than {MAX_ROWS}.")
        table = file.read(columns=SCHEMA.names, use_threads=False)  # with threads it takes three times the CPU time
        table.validate(full=True)
        check_rows(table, path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from error
    return table


def row_numbers_by_experiment(rows: Sequence[StoredRow]) -> dict[ExperimentKey, list[int]]:
    """Return the row numbers, from 0, of each experiment."""
    numbers: dict[ExperimentKey, list[int]] = {}
    for i, row in enumerate(rows):
        numbers.setdefault((row["task"], row["variant"], row["pair"]), []).append(i)
    return numbers


def rows_of_cell(rows: Sequence[StoredRow], track: str, seed: int) -> list[StoredRow]:
    """Return the rows of one cell among those of its experiment, with those that all of its cells share."""
    return [row for row in rows if is_of_cell(row, track, seed)]


def is_of_cell(row: StoredRow, track: str, seed: int) -> bool:
    """Return whether a row of an experiment is of this cell, or shared by all of its cells."""
    return row["track"] is None or (row["track"], row["seed"]) == (track, seed)


def answer_of_row(row: StoredRow) -> Answer:
    """Return the answer that a row holds."""
    took = json.loads(row["took"]) if row["took"] else (0, 0, 0.0)
    columns = {name: row[name] for name in Answer.__dataclass_fields__ if name in row}
    parsed = {"marks": _parsed(row["marks"]), "unscored": _parsed(row["unscored"] or "{}"), "took": took}
    return Answer(**(columns | parsed | {"of_mapper": row["track"] is not None}))


@lru_cache(maxsize=1024)  # few texts, in hundreds of thousands of rows
def _parsed(text: str) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(text))


def summary_of(answers: Sequence[Answer], ids: Sequence[str], clusters: Mapping[str, str]) -> Summary:
    """Summarise the answers of a cell over the prompts `ids`, given the cluster of each."""
    first = {a.item: a for a in reversed(answers) if a.split == "test" and a.item in clusters}
    items = [Example(Prompt(a.prompt), None, clusters[a.item], a.group) for a in first.values()]
    clean = {a.item: a.completion for a in answers if a.split == CLEAN}
    return summarise(answers, items, ids, clean if clean.keys() >= set(ids) else {})


_EXPERIMENT = ["task", "variant", "pair"]
_DRAW = [*_EXPERIMENT, "track", "seed", "condition", "draw"]
_ANSWER = [*_DRAW, "split", "item", "strength"]
_REQUIRED = (*_EXPERIMENT, "split", "item", "prompt", "condition", "draw", "completion", "reason", "group", "marks")
_JSON: dict[str, TypeAdapter[Any]] = {
    "marks": TypeAdapter(dict[str, bool | Figure | None]),
    "unscored": TypeAdapter(dict[str, str]),
    "took": TypeAdapter(tuple[Count, Count, Annotated[float, Field(ge=0, le=MAX_FIGURE)] | None]),
}
_TEST = pa.scalar("test")
_Fault = tuple[int, str]  # the number of a row, from 0, and what is wrong with it


def check_rows(table: pa.Table, path: Path) -> None:
    """Raise UserError, with the number of the row, where rows are not what a run writes.

    Rows have all required values, valid JSON and finite strengths; none is there twice; every draw has all prompts.
    """
    faults = chain(_lacking(table), _no_json(table), _not_finite(table), _twice(table), _incomplete(table))
    for row, fault in faults:
        raise UserError(f"Row {row + 1} of {path} {fault}: it is not what a run wrote, so score the mapper again.")


def _lacking(table: pa.Table) -> Iterator[_Fault]:
    """Yield rows without a required value."""
    for name in _REQUIRED:
        if table[name].null_count:
            yield pc.index(pc.is_null(table[name]), True).as_py(), f"has no {name}"


def _no_json(table: pa.Table) -> Iterator[_Fault]:
    """Yield rows whose JSON is not of its form; each distinct text is parsed once."""
    for name, form in _JSON.items():
        for text in (one for one in table[name].unique().to_pylist() if one is not None):
            try:
                form.validate_json(text, strict=True)
            except ValidationError as error:
                yield pc.index(table[name], text).as_py(), f"has no {name} that can be read ({_last(error)})"


def _last(error: ValidationError) -> str:
    return error.errors(include_url=False, include_input=False)[-1]["msg"]  # of the alternatives of a union, the last


def _not_finite(table: pa.Table) -> Iterator[_Fault]:
    """Yield a row whose strength is not finite."""
    row = pc.index(pc.is_finite(table["strength"]), False).as_py()
    if row >= 0:
        yield row, "has a strength that is not finite"


def _twice(table: pa.Table) -> Iterator[_Fault]:
    """Yield answers that are there twice; a test prompt has one per draw, whatever the strength."""
    once = pc.if_else(pc.equal(table["split"], _TEST), pa.scalar(None, pa.float64()), table["strength"])
    answers = _texts_as_numbers(table.select(_ANSWER)).set_column(_ANSWER.index("strength"), "strength", once)
    if answers.group_by(_ANSWER, use_threads=False).aggregate([]).num_rows == table.num_rows:
        return
    counts = _numbered(answers).group_by(_ANSWER).aggregate([("row", "max"), ("row", "count")])
    repeated = counts.filter(pc.greater(counts["row_count"], pa.scalar(1)))
    yield pc.min(repeated["row_max"]).as_py(), "is there twice"


def _texts_as_numbers(table: pa.Table) -> pa.Table:
    """Return a table with equal numbers where texts are equal: these are grouped several times as fast."""
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    for name in texts:
        column: Any = table[name].combine_chunks()
        table = table.set_column(table.schema.get_field_index(name), name, column.dictionary_encode().indices)
    return table


def _incomplete(table: pa.Table) -> Iterator[_Fault]:
    """Yield draws of a condition that lack some of the test prompts of the experiment."""
    tested = _numbered(table).filter(pc.equal(table["split"], _TEST))
    asked = tested.group_by(_EXPERIMENT).aggregate([("item", "count_distinct")])
    draws = tested.group_by(_DRAW).aggregate([("row", "min"), ("row", "count")]).join(asked, _EXPERIMENT)
    incomplete = draws.filter(pc.less(draws["row_count"], draws["item_count_distinct"]))
    if incomplete.num_rows:
        yield pc.min(incomplete["row_min"]).as_py(), "is of a draw that lacks some of the test prompts"


def _numbered(table: pa.Table) -> pa.Table:
    """Append the row number, from 0, as a column."""
    return table.append_column("row", pa.array(np.arange(table.num_rows)))
