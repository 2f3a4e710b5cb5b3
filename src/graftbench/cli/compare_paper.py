"""The command `graftbench compare-paper`."""

import argparse
from pathlib import Path


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    compare = commands.add_parser("compare-paper", help="print the cells of a run beside the paper's published figures")
    compare.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run, or an entry's file")
    compare.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.files import is_folder
    from graftbench.benchmark.results.entry_files import read_entry
    from graftbench.benchmark.runs.folder import ENTRY
    from graftbench.cli.paper_tables import print_comparison
    from graftbench.leaderboard.paper_comparison import compare, suite_of
    from graftbench.leaderboard.published import published

    run, figures = arguments.run_folder, published()
    path = run / ENTRY if is_folder(run) else run
    entry = read_entry(path)
    print_comparison(compare(entry, suite_of(path, entry), figures), entry, figures, Console())
    return 0
