"""The table of all answers of a run, `rows.parquet`: its columns, how it is written, and what judging cost."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.results.schema import Judging

MAX_UNSCORED_SHARE = 0.05  # of the prompts of a cell
CLEAN = "clean"  # the split and the condition of clean answers
PERPLEXITY = "perplexity"  # the mark of an answer that is its perplexity under the untouched target


@dataclass(frozen=True)
class Answer:
    """The completion of one prompt under one condition, with the verdicts on it."""

    split: str
    item: str  # id of the prompt
    prompt: str
    condition: str
    draw: int
    strength: float | None
    completion: str
    gone: bool | None  # whether the undesired behaviour is gone
    good: bool | None  # whether it is a good answer
    reason: str  # why either is None
    marks: Mapping[str, float | None]  # further verdicts by name
    of_mapper: bool  # whether the condition depends on the mapper
    group: str = ""  # the class of prompts that it is reported under
    reference: str | None = None  # a reply that is known to be good
    took: Sequence[float | None] = (0, 0, 0.0)  # tokens read and written by its judges, dollars
    unscored: Mapping[str, str] = field(default_factory=dict)  # why a mark is None

    @property
    def success(self) -> bool | None:
        """True where the behaviour is gone and the answer good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good

    def record(self) -> dict[str, object]:
        """Return the answer as a row of a table."""
        return vars(self) | {"success": self.success}


def scored_everywhere(answers: Sequence[Answer]) -> set[str]:
    """Return the prompts that have a verdict under every condition; RuntimeError where more than 5 % have not."""
    asked = {a.item for a in answers}
    unscored = {a.item: a.reason for a in answers if a.success is None}
    check_unscored(len(unscored), len(asked), next(iter(unscored.values()), ""))
    return asked - unscored.keys()


def check_unscored(n: int, n_asked: int, reason: str) -> None:
    """Raise RuntimeError, with the reason of one, where `n` unscored prompts are more than 5 % of those asked."""
    if n > MAX_UNSCORED_SHARE * n_asked:
        raise RuntimeError(f"{n} of {n_asked} prompts are unscored, more than 5 %: {reason}")


_TEXT, _INTEGER, _REAL, _BOOLEAN = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("task", _TEXT),
    pa.field("variant", _TEXT),
    pa.field("pair", _TEXT),
    pa.field("track", _TEXT),  # null for answers that do not depend on the mapper
    pa.field("seed", _INTEGER),  # likewise
    pa.field("split", _TEXT),
    pa.field("item", _TEXT),
    pa.field("prompt", _TEXT),
    pa.field("condition", _TEXT),
    pa.field("draw", _INTEGER),
    pa.field("strength", _REAL),
    pa.field("completion", _TEXT),
    pa.field("gone", _BOOLEAN),
    pa.field("good", _BOOLEAN),
    pa.field("success", _BOOLEAN),
    pa.field("reason", _TEXT),
    pa.field("group", _TEXT),  # the class of prompts that it is reported under
    pa.field("reference", _TEXT),  # a reply that is known to be good
    pa.field("marks", _TEXT),  # further verdicts, as JSON
    pa.field("unscored", _TEXT),  # why one of them is null, as JSON; null where none is
    pa.field("took", _TEXT),  # tokens that its judges read and wrote, and dollars, as JSON; null where none is paid for
]
SCHEMA = pa.schema(_FIELDS)


def write_rows(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of answers into one Parquet file, in order."""
    with atomic_write(path) as unfinished, pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table)


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table."""
    return pa.table({name: [row[name] for row in rows] for name in SCHEMA.names}, schema=SCHEMA)


def row_of(cell: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """Return an answer as a row; `cell` has the columns that name its cell."""
    took = json.dumps(list(answer.took)) if any(answer.took) else None
    marks = _as_json(tuple(sorted(answer.marks.items())))
    unscored = json.dumps(dict(answer.unscored), sort_keys=True) if answer.unscored else None
    return {**cell, **vars(answer), "success": answer.success, "marks": marks, "unscored": unscored, "took": took}


@lru_cache(maxsize=1024)  # few combinations of marks, in hundreds of thousands of rows
def _as_json(marks: tuple[tuple[str, float | None], ...]) -> str:
    return json.dumps(dict(marks))


def judging_cost(rows: Iterable[Mapping[str, Any]], judges: Mapping[str, Mapping[str, str]]) -> Judging:
    """Sum what judging took over all rows, counting the same completion before the same judges once.

    `judges` are those of each task, by measure. Dollars are None where a paid judge has no prices.
    """
    judges_of = {task: json.dumps(dict(named), sort_keys=True) for task, named in judges.items()}
    by_completion = {
        (judges_of[row["task"]], row["item"], row["completion"]): json.loads(row["took"]) for row in rows if row["took"]
    }
    prompt, completion = (sum(took[i] for took in by_completion.values()) for i in range(2))
    paid = [took[2] for took in by_completion.values()]
    dollars = None if None in paid else round(sum(paid), 4)
    return Judging(prompt_tokens=int(prompt), completion_tokens=int(completion), dollars=dollars)


def rows_with_judging_cost(tables: Iterable[pa.Table]) -> Iterator[dict[str, Any]]:
    """Yield the rows of some tables whose judges took tokens or dollars, with the columns that `judging_cost` needs."""
    for table in tables:
        paid = table.filter(pc.is_valid(table["took"]))
        yield from paid.select(["task", "item", "completion", "took"]).to_pylist()
