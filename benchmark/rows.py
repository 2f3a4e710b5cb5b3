"""Every answer of a run as a Parquet table: what was asked, what was done, what was said, what the judges say."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graftbench.leaderboard.schema import Judging

from .experiments.conditions import Answer
from .files import whole
from .plan import Cell
from .work import Done, Prepared

_TEXT, _WHOLE, _REAL, _TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("task", _TEXT),
    pa.field("variant", _TEXT),
    pa.field("pair", _TEXT),
    pa.field("track", _TEXT),  # null for what does not depend on the mapper
    pa.field("seed", _WHOLE),  # likewise
    pa.field("split", _TEXT),
    pa.field("item", _TEXT),
    pa.field("prompt", _TEXT),
    pa.field("condition", _TEXT),
    pa.field("draw", _WHOLE),
    pa.field("strength", _REAL),
    pa.field("completion", _TEXT),
    pa.field("gone", _TRUTH),
    pa.field("good", _TRUTH),
    pa.field("success", _TRUTH),
    pa.field("reason", _TEXT),
    pa.field("group", _TEXT),  # the class that it is reported under
    pa.field("reference", _TEXT),  # a reply that is known to be good
    pa.field("marks", _TEXT),  # what else the judges say, as JSON
    pa.field("unscored", _TEXT),  # why one of them is null, as JSON; null where none is
    pa.field("took", _TEXT),  # tokens that its judges read and wrote, dollars, as JSON; null where none is paid for
]
SCHEMA = pa.schema(_FIELDS)


def write_rows(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of answers, one after the other."""
    with whole(path) as unfinished, pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table)


def tables_of(cells: Sequence[Cell], results: Mapping[str, Any]) -> Iterator[pa.Table]:
    """The answers of every cell of a run, given what the workers brought back."""

    def shared(cell: Cell) -> pa.Table | None:
        ground = results.get(cell.ground)
        return shared_table(cell, ground) if isinstance(ground, Prepared) else None

    def own(cell: Cell) -> pa.Table | None:
        done = results[cell.name]
        return own_table(cell, done) if isinstance(done, Done) else None

    return in_turn(cells, shared, own)


def in_turn(
    cells: Sequence[Cell], shared: Callable[[Cell], pa.Table | None], own: Callable[[Cell], pa.Table | None]
) -> Iterator[pa.Table]:
    """The answers of each cell, where there are any, after those that it shares with others, which come once."""
    told: set[str] = set()
    for cell in cells:
        ground = None if cell.ground in told else shared(cell)
        told.add(cell.ground)
        yield from (table for table in (ground, own(cell)) if table is not None)


def shared_table(cell: Cell, ground: Prepared) -> pa.Table:
    """The answers that a cell shares with others: no mapper has a part in them."""
    return _table(cell, {"track": None, "seed": None}, ground.answers)


def own_table(cell: Cell, done: Done) -> pa.Table:
    """The answers of a cell that the mapper has a part in."""
    return _table(cell, {"track": cell.track, "seed": cell.seed}, done.scored.summary.rows)


def _table(cell: Cell, of_mapper: Mapping[str, Any], answers: Sequence[Answer]) -> pa.Table:
    about = {"task": cell.task, "variant": cell.variant, "pair": cell.pair, **of_mapper}
    return table_of([row_of(about, answer) for answer in answers])


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table."""
    return pa.table({name: [row[name] for row in rows] for name in SCHEMA.names}, schema=SCHEMA)


def row_of(about: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """An answer as a row; `about` says of which cell it is."""
    took = json.dumps(list(answer.took)) if any(answer.took) else None
    marks = _as_json(tuple(sorted(answer.marks.items())))
    unscored = json.dumps(dict(answer.unscored), sort_keys=True) if answer.unscored else None
    return {**about, **vars(answer), "success": answer.success, "marks": marks, "unscored": unscored, "took": took}


@lru_cache(maxsize=1024)  # there are few of them, and hundreds of thousands of rows
def _as_json(marks: tuple[tuple[str, float | None], ...]) -> str:
    return json.dumps(dict(marks))


def what_they_took(rows: Iterable[Mapping[str, Any]], judges: Mapping[str, Mapping[str, str]]) -> Judging:
    """The sum over all rows of what their judges took, what the same judges say of the same completion counted once.

    `judges` are those of each task. Dollars are None where a judge that was paid for has no prices.
    """
    alike = {task: json.dumps(dict(named), sort_keys=True) for task, named in judges.items()}
    found = {
        (alike[row["task"]], row["item"], row["completion"]): json.loads(row["took"]) for row in rows if row["took"]
    }
    prompt, completion = (sum(took[i] for took in found.values()) for i in range(2))
    paid = [took[2] for took in found.values()]
    dollars = None if None in paid else round(sum(paid), 4)
    return Judging(prompt_tokens=int(prompt), completion_tokens=int(completion), dollars=dollars)


def rows_that_took(tables: Iterable[pa.Table]) -> Iterator[dict[str, Any]]:
    """Of some tables, what is told of the answers whose judges took something."""
    for table in tables:
        paid = table.filter(pc.is_valid(table["took"]))
        yield from paid.select(["task", "item", "completion", "took"]).to_pylist()
