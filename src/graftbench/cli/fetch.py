"""The command `graftbench fetch`."""

import argparse
from typing import TYPE_CHECKING

from graftbench.benchmark.core.byte_sizes import size_in_words

if TYPE_CHECKING:
    from rich.console import Console

    from graftbench.benchmark.runs.needed import Needed
    from graftbench.benchmark.runs.suite import Suite

_HERE = {True: "yes", False: "no", None: "?"}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    fetch = commands.add_parser("fetch", help="get the models and data of a suite, before a machine without network")
    fetch.add_argument("suite", metavar="SUITE", help="a suite that ships, or a YAML file")
    fetch.add_argument("--list", action="store_true", help="say what is needed, and stop")
    fetch.set_defaults(run=_fetch, goes_on=True)


def _fetch(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.hub import asked_once
    from graftbench.benchmark.runs.inventory import fetch
    from graftbench.benchmark.runs.suite import read_suite

    suite, console = read_suite(arguments.suite), Console()
    failed: list[str] = []
    with asked_once():
        if not arguments.list:
            with console.status("") as status:
                failed = fetch(suite, status.update)
        items = print_needed(suite, console)
    for sentence in failed:
        console.print(f"- {sentence}", style="red", highlight=False, markup=False, soft_wrap=True)
    return 1 if failed or any(each.here is False for each in items) else 0


def print_needed(suite: "Suite", console: "Console") -> "list[Needed]":
    """Print what a suite needs, and return it."""
    from rich.markup import escape
    from rich.table import Column, Table

    from graftbench.benchmark.core.tables import print_table
    from graftbench.benchmark.runs.inventory import needed

    table = Table("", Column("name", overflow="fold"), "here", "size", Column("", overflow="fold"))
    items = list(needed(suite))
    for each in items:
        size = "" if each.size is None else size_in_words(each.size)
        table.add_row(each.kind, escape(each.name), _HERE[each.here], size, escape(each.note))
    print_table(table, console)
    return items
