"""The command `graftbench leaderboard build | page | verify`."""

import argparse
from pathlib import Path

from graftbench.benchmark.core.escaping import escape_control
from graftbench.cli import verify
from graftbench.cli.options import add_leaderboard


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    board = commands.add_parser("leaderboard", help="build a leaderboard, verify its entries, write its page")
    verbs = board.add_subparsers(required=True, metavar="COMMAND")
    build = verbs.add_parser("build", help="rank the entries of each suite, into leaderboard.json")
    add_leaderboard(build)
    build.set_defaults(run=_build)
    page = verbs.add_parser("page", help="write the leaderboard as one HTML file, from the entries alone")
    add_leaderboard(page)
    page.set_defaults(run=_page)
    verify.add_to(verbs)


def _build(arguments: argparse.Namespace) -> int:
    folder = _with_entries(arguments.leaderboard)
    from graftbench.leaderboard.verify import build

    return _written(build(folder))


def _page(arguments: argparse.Namespace) -> int:
    folder = _with_entries(arguments.leaderboard)
    from graftbench.leaderboard.page.writing import write_page

    return _written(write_page(folder))


def _with_entries(folder: Path) -> Path:
    """Return a leaderboard's folder; UserError, before anything heavy is loaded, where it holds no entries."""
    from graftbench.leaderboard.entries import entry_files

    entry_files(folder)
    return folder


def _written(path: Path) -> int:
    print(escape_control(f"Written to {path}"))  # noqa: T201
    return 0
