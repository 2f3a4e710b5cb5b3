"""Every answer of a run as a Parquet table: what was asked, what was done, what was said, what the judges say."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graftbench.benchmark.core.files import whole
from graftbench.benchmark.results.answers import Answer
from graftbench.benchmark.results.schema import Judging

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
