"""Whether a table of answers, which may come from anybody, holds what a run writes; the first wrong row is told."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, TypeAdapter, ValidationError

from graftbench.leaderboard.names import MOST, Count, Figure

from .errors import UserError

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
