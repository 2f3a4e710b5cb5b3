"""The command `graftbench show`."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import escape_control
from graftbench.benchmark.core.tables import print_table
from graftbench.benchmark.results.schema import CellResult, Entry, ShownPrompt, ShownReply
from graftbench.cli.cell_tables import TARGET_LOSS, TRAINED, words
from graftbench.cli.options import not_negative


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    show = commands.add_parser("show", help="print a run: its table, its scores, and what was said")
    show.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run, or an entry's file")
    show.add_argument(
        "--examples",
        type=not_negative,
        default=1,
        metavar="N",
        help="prompts of each cell that are shown (default 1; an entry's file holds two)",
    )
    show.set_defaults(run=_show)


def _show(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.files import is_folder
    from graftbench.benchmark.results.entry_files import read_entry
    from graftbench.benchmark.runs.folder import ROWS, entry_in
    from graftbench.cli.tables import print_entry

    run, console = arguments.run_folder, Console()
    is_run = is_folder(run)
    entry = read_entry(entry_in(run) if is_run else run)
    print_entry(entry, console)
    if arguments.examples:
        rows = first_draw_rows(run / ROWS) if is_run else None
        print_examples(entry, rows, console, arguments.examples)
    return 0


LONGEST = 200  # characters of a completion
SHOWN = ("unsteered", "random", "mean_ablated", "eraser", "mapped", "native", TARGET_LOSS)
Row = Mapping[str, Any]


def first_draw_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of test prompts, first draw only; UserError where the file cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["task", "variant", "pair", "track", "seed", "split", "item", "prompt", "condition", "draw", "completion"]
    try:
        table = pq.read_table(path, columns=[*columns, "success"], filters=[("split", "=", "test"), ("draw", "=", 0)])
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return table.to_pylist()


def print_examples(entry: Entry, rows: Sequence[Row] | None, console: Console, examples: int) -> None:
    """Print n examples of each steerable cell of the first seed: from the rows of a run, else from the entry."""
    first_seed = min((cell.seed for cell in entry.cells), default=0)
    for cell in entry.cells:
        if cell.steerable and not cell.check and cell.seed == first_seed:
            shown = cell.examples[:examples] if rows is None else list(_examples_of_rows(cell, rows, examples))
            if shown:
                print_table(_examples_table(cell, shown), console)
            if cell.sweep:
                print_table(_sweep_table(cell), console)


def _examples_of_rows(cell: CellResult, rows: Sequence[Row], examples: int) -> Iterator[ShownPrompt]:
    """Yield the completions of the first n prompts of a cell."""
    of_cell = [
        row
        for row in rows
        if (row["task"], row["variant"], row["pair"]) == (cell.task, cell.variant, cell.pair)
        and (row["track"], row["seed"]) in ((None, None), (cell.track, cell.seed))
    ]
    for item in cell.prompt_ids[:examples]:
        of_prompt = [row for row in of_cell if row["item"] == item]
        said = {row["condition"]: ShownReply(completion=row["completion"], success=row["success"]) for row in of_prompt}
        if of_prompt:
            yield ShownPrompt(item=item, prompt=of_prompt[0]["prompt"], reference=None, said=said)


def _examples_table(cell: CellResult, examples: Sequence[ShownPrompt]) -> Table:
    """Build a table of prompts, each with a row for its completion under each condition."""
    conditions = [name for name in SHOWN if name in cell.bits]
    table = Table("", "success", "text", title=escape(f"{cell.task}, {cell.variant}, {cell.pair}, fit: {cell.track}"))
    table.title_justify = "left"
    for example in examples:
        table.add_row("prompt", "", _in_terminal(example.prompt))
        for name in conditions:
            condition = TRAINED if name == TARGET_LOSS else words(name)
            table.add_row(condition, *_reply(example.said.get(name)), end_section=name == conditions[-1])
    return table


def _sweep_table(cell: CellResult) -> Table:
    """Build a table of success on validation prompts over strengths, with a row for each condition."""
    strengths = sorted({point.strength for points in cell.sweep.values() for point in points})
    table = Table(
        "over strengths",
        *(f"{strength:g}" for strength in strengths),
        caption="success on validation prompts; at a strength below 0 it is a shift the other way",
        caption_justify="left",
    )
    for name, points in cell.sweep.items():
        values = {point.strength: f"{point.value:.2f}" for point in points}
        table.add_row(escape(words(name)), *(values.get(strength, "-") for strength in strengths))
    return table


def _reply(reply: ShownReply | None) -> tuple[str, str]:
    """Return the verdict on a completion, and the completion."""
    if reply is None:
        return "-", "-"
    verdict = {True: "[green]good[/green]", False: "[red]no[/red]", None: "unscored"}[reply.success]
    completion = reply.completion
    return verdict, _in_terminal(completion if len(completion) <= LONGEST else f"{completion[: LONGEST - 3]}...")


def _in_terminal(words: str) -> str:
    """Escape markup and control characters, but keep lines as lines."""
    return escape(escape_control(words, keep="\n\t"))
