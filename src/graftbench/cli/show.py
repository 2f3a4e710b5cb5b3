"""The command `graftbench show`."""

import argparse
from pathlib import Path

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
    from graftbench.benchmark.runs.folder import ENTRY, ROWS
    from graftbench.cli.completions import first_draw_rows, print_examples
    from graftbench.cli.tables import print_entry

    run, console = arguments.run_folder, Console()
    is_run = is_folder(run)
    entry = read_entry(run / ENTRY if is_run else run)
    print_entry(entry, console)
    if arguments.examples:
        rows = first_draw_rows(run / ROWS) if is_run else None
        print_examples(entry, rows, console, arguments.examples)
    return 0
