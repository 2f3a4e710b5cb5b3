"""The command lines of `graftbench submit` and `graftbench leaderboard`: light to import."""

import argparse
from pathlib import Path

from graftbench.benchmark.arguments import positive
from graftbench.benchmark.errors import UserError

CELLS = 3  # that --rerun runs again


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    submit = commands.add_parser("submit", help="check a run, and add its entry to a leaderboard")
    submit.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run of a whole suite")
    _folder(submit)
    submit.set_defaults(run=_submit)
    board = commands.add_parser("leaderboard", help="build a leaderboard, verify its entries, write its page")
    verbs = board.add_subparsers(required=True, metavar="COMMAND")
    build = verbs.add_parser("build", help="make leaderboard.json from the entries alone")
    _folder(build)
    build.set_defaults(run=_build)
    page = verbs.add_parser("page", help="write the leaderboard as one HTML file, from the entries alone")
    _folder(page)
    page.set_defaults(run=_page)
    _add_verify(verbs.add_parser("verify", help="compute everything again that follows from files"))


def _add_verify(verify: argparse.ArgumentParser) -> None:
    verify.add_argument("entry", nargs="?", type=Path, metavar="ENTRY", help="one entry's file (default: all of them)")
    _folder(verify)
    verify.add_argument(
        "--rerun",
        nargs="?",
        type=positive,
        const=CELLS,
        metavar="N",
        help=f"run N random cells again (default {CELLS})",
    )
    verify.add_argument("--trust-code", action="store_true", help="run the source of a submission for that")
    verify.add_argument("--against", metavar="REVISION", help="say what changed since then, row by row: main, ...")
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
    from .writing import build

    print(f"Written to {build(arguments.leaderboard)}")  # noqa: T201
    return 0


def _page(arguments: argparse.Namespace) -> int:
    from .page.writing import write_page

    print(f"Written to {write_page(arguments.leaderboard)}")  # noqa: T201
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from .verifying import verify, verify_all

    folder = arguments.leaderboard
    found = [verify(arguments.entry, folder)] if arguments.entry else list(verify_all(folder))
    if not found:
        raise UserError(f"{folder / 'entries'} holds no entry: `graftbench submit RUN` adds one.")
    for one in found:
        print(one.told)  # noqa: T201
    if arguments.against:
        _print_changes(arguments.against, folder)
    wrong = any(one.wrong for one in found)
    if arguments.rerun and not wrong:
        wrong = _run_again([one.path for one in found if one.entry is not None], arguments)
    return 1 if wrong else 0


def _print_changes(revision: str, folder: Path) -> None:
    from .against import board_at, changes
    from .build import leaderboard_of
    from .entries import read_entries

    told = list(changes(board_at(revision, folder), leaderboard_of(read_entries(folder))))
    print("\n".join(told) or f"No row is other than at {revision}.")  # noqa: T201


def _run_again(paths: list[Path], arguments: argparse.Namespace) -> bool:
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from graftbench.benchmark.again import run_again

    from .entries import file_name, read_entry
    from .submitting import MAPPERS
    from .whole import SUITE, read_suite_file

    wrong = False
    for path in paths:
        entry, folder = read_entry(path), arguments.leaderboard
        beside = path.with_name(SUITE)
        suite = read_suite_file(beside if beside.exists() else folder / SUITE)
        source = path.with_name("source")
        kept = source if source.is_dir() else folder / MAPPERS / Path(file_name(entry)).stem
        with TemporaryDirectory() as out:
            told = run_again(
                entry, suite, kept, arguments.rerun, trust=arguments.trust_code, out=Path(out), console=Console()
            )
        for one in told:
            print(f"{path.name}, {one.told}")  # noqa: T201
        wrong = wrong or any(one.wrong for one in told)
    return wrong
