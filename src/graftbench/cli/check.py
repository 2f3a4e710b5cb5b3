"""The command `graftbench check`."""

import argparse

from graftbench.cli.options import add_isolation, add_mapper


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    check = commands.add_parser("check", help="take a mapper through its paces, in seconds")
    add_mapper(check)
    add_isolation(check)
    check.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.mappers.checking import check_mapper
    from graftbench.benchmark.mappers.hosts import isolation_of
    from graftbench.benchmark.mappers.info import describe

    info = describe(arguments.mapper, arguments.option)
    return check_mapper(info, isolation_of(info, isolate=arguments.isolate), Console())
