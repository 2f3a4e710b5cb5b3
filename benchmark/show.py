"""A run folder in a terminal: its table and scores, and what is said under each condition, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graftbench.leaderboard.entries import read_entry
from graftbench.leaderboard.schema import Cell, Entry

from .errors import UserError
from .report import print_entry

LONGEST = 200  # characters of a completion
SHOWN = ("unsteered", "random", "mapped", "native")


def show(run: Path, console: Console, examples: int) -> None:
    """Print a run; UserError where the folder holds none."""
    entry = read_entry(run / "entry.json")
    print_entry(entry, console)
    if examples:
        _print_examples(entry, _rows(run / "rows.parquet"), console, examples)


def _rows(path: Path) -> list[dict[str, Any]]:
    columns = ["task", "variant", "pair", "track", "seed", "split", "item", "prompt", "condition", "draw", "completion"]
    try:
        table = pq.read_table(path, columns=[*columns, "success"], filters=[("split", "=", "test"), ("draw", "=", 0)])
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return table.to_pylist()


def _print_examples(entry: Entry, rows: Sequence[Mapping[str, Any]], console: Console, examples: int) -> None:
    for cell in entry.cells:
        if cell.steerable and not cell.check and cell.seed == min(c.seed for c in entry.cells):
            console.print(_examples(cell, rows, examples))
            if cell.sweep:
                console.print(_sweep(cell))


def _examples(cell: Cell, rows: Sequence[Mapping[str, Any]], examples: int) -> Table:
    """What is said to the first prompts of a cell, a column for each condition."""
    mine = [
        row
        for row in rows
        if (row["task"], row["variant"], row["pair"]) == (cell.task, cell.variant, cell.pair)
        and (row["track"], row["seed"]) in ((None, None), (cell.track, cell.seed))
    ]
    said = {(row["item"], row["condition"]): row for row in mine}
    conditions = [name for name in SHOWN if name in cell.bits]
    table = Table("prompt", *conditions, title=escape(f"{cell.task}, {cell.variant}, {cell.pair}, fit: {cell.track}"))
    table.title_justify = "left"
    for item in cell.prompt_ids[:examples]:
        found = [said[item, name] for name in conditions if (item, name) in said]
        if found:
            table.add_row(escape(found[0]["prompt"]), *(_said(row) for row in found))
    return table


def _sweep(cell: Cell) -> Table:
    """Success on validation prompts over the strengths that were tried."""
    strengths = sorted({one.strength for tried in cell.sweep.values() for one in tried})
    table = Table("over strengths", *(f"{strength:g}" for strength in strengths))
    for name, tried in cell.sweep.items():
        at = {one.strength: f"{one.value:.2f}" for one in tried}
        table.add_row(name.replace("_", " "), *(at.get(strength, "-") for strength in strengths))
    return table


def _said(row: Mapping[str, Any]) -> str:
    mark = {True: "[green]good[/green]", False: "[red]no[/red]", None: "unscored"}[row["success"]]
    words = row["completion"] if len(row["completion"]) <= LONGEST else f"{row['completion'][: LONGEST - 3]}..."
    return f"{escape(words)}\n{mark}"
