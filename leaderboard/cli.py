"""The command lines of `graftbench submit` and `graftbench leaderboard`: light to import."""

import argparse
from pathlib import Path


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    submit = commands.add_parser("submit", help="check a run, and add its entry to a leaderboard")
    submit.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run of a whole suite")
    _folder(submit)
    submit.set_defaults(run=_submit)
    board = commands.add_parser("leaderboard", help="build a leaderboard, or verify its entries")
    verbs = board.add_subparsers(required=True, metavar="COMMAND")
    build = verbs.add_parser("build", help="make leaderboard.json from the entries alone")
    _folder(build)
    build.set_defaults(run=_build)
    verify = verbs.add_parser("verify", help="compute everything again that follows from an entry's bits")
    verify.add_argument("entry", nargs="?", type=Path, metavar="ENTRY", help="one entry's file (default: all of them)")
    _folder(verify)
    verify.set_defaults(run=_verify)


def _folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--leaderboard", type=Path, default=Path("leaderboard"), metavar="DIR", help="its folder (default leaderboard)"
    )


def _submit(arguments: argparse.Namespace) -> int:
    from .submitting import submit

    path = submit(arguments.run_folder, arguments.leaderboard)
    print(f"Added as {path}. `graftbench leaderboard build` ranks it.")  # noqa: T201
    return 0


def _build(arguments: argparse.Namespace) -> int:
    from .submitting import build

    print(f"Written to {build(arguments.leaderboard)}")  # noqa: T201
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from .checking import problems
    from .entries import read_entry
    from .schema import SCHEMA_VERSION

    paths = [arguments.entry] if arguments.entry else sorted((arguments.leaderboard / "entries").glob("*.json"))
    wrong = 0
    for path in paths:
        entry = read_entry(path)
        found = problems(entry)
        wrong += bool(found)
        old = f" (schema version {entry.schema_version})" if entry.schema_version != SCHEMA_VERSION else ""
        print(f"{path}: {'; '.join(found) or 'follows from its bits'}{old}")  # noqa: T201
    return 1 if wrong or not paths else 0
