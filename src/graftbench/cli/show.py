"""A run, or an entry, in a terminal: its table and scores, and what is said under each condition, side by side."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_folder
from graftbench.benchmark.core.text import visible
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.results.schema import CellResult, Entry, ShownPrompt, ShownReply
from graftbench.cli.tables import print_entry

LONGEST = 200  # characters of a completion
SHOWN = ("unsteered", "random", "mapped", "native")
Row = Mapping[str, Any]


def show(run: Path, console: Console, examples: int) -> None:
    """Print a run's folder, or an entry's file, which holds a few examples; UserError where it is neither."""
    whole = is_folder(run)
    entry = read_entry(run / "entry.json" if whole else run)
    print_entry(entry, console)
    if examples:
        rows = _rows(run / "rows.parquet") if whole else None
        _print_examples(entry, rows, console, examples)


def _rows(path: Path) -> list[dict[str, Any]]:
    columns = ["task", "variant", "pair", "track", "seed", "split", "item", "prompt", "condition", "draw", "completion"]
    try:
        table = pq.read_table(path, columns=[*columns, "success"], filters=[("split", "=", "test"), ("draw", "=", 0)])
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return table.to_pylist()


def _print_examples(entry: Entry, rows: Sequence[Row] | None, console: Console, examples: int) -> None:
    for cell in entry.cells:
        if cell.steerable and not cell.check and cell.seed == min(c.seed for c in entry.cells):
            found = cell.examples[:examples] if rows is None else list(_of_rows(cell, rows, examples))
            if found:
                console.print(_examples(cell, found))
            if cell.sweep:
                console.print(_sweep(cell))


def _of_rows(cell: CellResult, rows: Sequence[Row], examples: int) -> Iterator[ShownPrompt]:
    """What is said to the first prompts of a cell."""
    mine = [
        row
        for row in rows
        if (row["task"], row["variant"], row["pair"]) == (cell.task, cell.variant, cell.pair)
        and (row["track"], row["seed"]) in ((None, None), (cell.track, cell.seed))
    ]
    for item in cell.prompt_ids[:examples]:
        these = [row for row in mine if row["item"] == item]
        said = {row["condition"]: ShownReply(completion=row["completion"], success=row["success"]) for row in these}
        if these:
            yield ShownPrompt(item=item, prompt=these[0]["prompt"], reference=None, said=said)


def _examples(cell: CellResult, examples: Sequence[ShownPrompt]) -> Table:
    """What is said to some prompts of a cell, a column for each condition."""
    conditions = [name for name in SHOWN if name in cell.bits]
    table = Table("prompt", *conditions, title=escape(f"{cell.task}, {cell.variant}, {cell.pair}, fit: {cell.track}"))
    table.title_justify = "left"
    for one in examples:
        table.add_row(_text(one.prompt), *(_said(one.said.get(name)) for name in conditions))
    return table


def _sweep(cell: CellResult) -> Table:
    """Success on validation prompts over the strengths that were tried."""
    strengths = sorted({one.strength for tried in cell.sweep.values() for one in tried})
    table = Table("over strengths", *(f"{strength:g}" for strength in strengths))
    for name, tried in cell.sweep.items():
        at = {one.strength: f"{one.value:.2f}" for one in tried}
        table.add_row(escape(name.replace("_", " ")), *(at.get(strength, "-") for strength in strengths))
    return table


def _said(said: ShownReply | None) -> str:
    if said is None:
        return "-"
    mark = {True: "[green]good[/green]", False: "[red]no[/red]", None: "unscored"}[said.success]
    words = said.completion if len(said.completion) <= LONGEST else f"{said.completion[: LONGEST - 3]}..."
    return f"{_text(words)}\n{mark}"


def _text(words: str) -> str:
    """What was said, as the terminal shows it and does not act on it; lines stay lines."""
    return escape(visible(words, keep="\n\t"))
