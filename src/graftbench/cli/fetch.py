"""The command `graftbench fetch`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from graftbench.benchmark.runs.suite import Suite

_GIB = 2**30
_HERE = {True: "yes", False: "no", None: "?"}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    fetch = commands.add_parser("fetch", help="get the models and data of a suite, before a machine without network")
    fetch.add_argument("suite", metavar="SUITE", help="a suite that ships, or a YAML file")
    fetch.add_argument("--list", action="store_true", help="say what is needed, and stop")
    fetch.set_defaults(run=_fetch)


def _fetch(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.runs.inventory import fetch
    from graftbench.benchmark.runs.suite import read_suite

    suite, console = read_suite(arguments.suite), Console()
    if not arguments.list:
        with console.status("") as status:
            fetch(suite, status.update)
    return print_needed(suite, console)


def print_needed(suite: "Suite", console: "Console") -> int:
    """Print what a suite needs; returns 1 where a part of it is not here."""
    from rich.markup import escape
    from rich.table import Table

    from graftbench.benchmark.runs.inventory import needed

    table = Table("", "name", "here", "size", "")
    items = list(needed(suite))
    for each in items:
        size = "" if each.size is None else f"{each.size / _GIB:.2f} GiB"
        table.add_row(each.kind, escape(each.name), _HERE[each.here], size, escape(each.note))
    console.print(table)
    return 1 if any(each.here is False for each in items) else 0
