"""The command lines of `graftbench submit` and `graftbench leaderboard`: light to import."""

import argparse
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_file, is_folder
from graftbench.benchmark.core.text import visible
from graftbench.cli.options import positive

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
    verify.add_argument("entry", nargs="?", type=Path, metavar="ENTRY", help="an entry's file, or a run (default: all)")
    _folder(verify)
    verify.add_argument(
        "--rerun",
        nargs="?",
        type=positive,
        const=CELLS,
        metavar="N",
        help=f"run N random cells again (default {CELLS})",
    )
    verify.add_argument("--trust-code", action="store_true", help="run a submission's source or suite for that")
    verify.add_argument("--against", metavar="REVISION", help="say what changed since then, row by row: main, ...")
    verify.set_defaults(run=_verify)


def _folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--leaderboard", type=Path, default=Path("leaderboard"), metavar="DIR", help="its folder (default leaderboard)"
    )


def _submit(arguments: argparse.Namespace) -> int:
    if not is_folder(arguments.run_folder):  # before anything heavy is loaded
        raise UserError(f"{arguments.run_folder} is no folder of a run: `graftbench score` says where it wrote one.")
    folder = _no_file(arguments.leaderboard)
    from graftbench.leaderboard.submit import submit

    path = submit(arguments.run_folder, folder)
    _tell(f"The entry is {path}. `graftbench leaderboard build` ranks it.")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    folder = _with_entries(arguments.leaderboard)
    from graftbench.leaderboard.verify import build

    _tell(f"Written to {build(folder)}")
    return 0


def _page(arguments: argparse.Namespace) -> int:
    folder = _with_entries(arguments.leaderboard)
    from graftbench.leaderboard.page.writing import write_page

    _tell(f"Written to {write_page(folder)}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    folder = arguments.leaderboard = _folder_of(arguments)
    if arguments.entry is None:
        _with_entries(folder)
    from graftbench.leaderboard.verify import verify, verify_all

    found = [verify(arguments.entry, folder)] if arguments.entry else verify_all(folder)
    for one in found:
        _tell(one.told)
    good = [one.path for one in found if one.entry is not None and not one.wrong]
    wrong = any(one.wrong for one in found)
    if arguments.against is not None:
        from graftbench.leaderboard.changes import told_against

        for line in told_against(arguments.against, folder):
            _tell(line)
    if arguments.rerun:
        wrong = _run_again(good, arguments) or wrong
    return 1 if wrong else 0


def _tell(line: str) -> None:
    """Print one line, whatever names and words of other people's stand in it."""
    print(visible(line))  # noqa: T201


def _no_file(folder: Path) -> Path:
    """A folder, though it may not be there yet; UserError where there is a file, or a path that leads nowhere."""
    if is_file(folder):
        raise UserError(f"{folder} is a file: --leaderboard names a folder.")
    return folder


def _with_entries(folder: Path) -> Path:
    """A leaderboard's folder that holds entries; UserError, before anything heavy is loaded, where it does not."""
    from graftbench.leaderboard.entries import entry_files

    entry_files(folder)
    return folder


def _folder_of(arguments: argparse.Namespace) -> Path:
    """The leaderboard that an entry is of, where it lies in one; a run's folder stands for its entry."""
    entry: Path | None = arguments.entry
    folder = _no_file(arguments.leaderboard)
    if entry is None:
        return folder
    if is_folder(entry):
        arguments.entry = entry = entry / "entry.json"
    there = is_file(entry) and entry.resolve().parent.name == "entries"
    return entry.resolve().parent.parent if there else folder


def _run_again(paths: list[Path], arguments: argparse.Namespace) -> bool:
    """Whether something came out otherwise; what is there of each mapper is looked at before any of it runs."""
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from graftbench.benchmark.results.entry_files import read_entry
    from graftbench.benchmark.runs.suite import read_suite_file
    from graftbench.leaderboard.mapper_files import kept_apart
    from graftbench.leaderboard.rerun import run_again
    from graftbench.leaderboard.submit import refuse_where
    from graftbench.leaderboard.verify import kept_of, suite_of

    wrong = False
    for path in paths:
        entry, suite = read_entry(path), read_suite_file(suite_of(path, arguments.leaderboard))
        kept = kept_of(path, arguments.leaderboard)
        if entry.mapper.files:
            refuse_where(f"{path} cannot be run again", kept_apart(entry, kept))
        with TemporaryDirectory() as out:
            told = run_again(
                entry, suite, kept, arguments.rerun, trust=arguments.trust_code, out=Path(out), console=Console()
            )
        for one in told:
            _tell(f"{path.name}, {one.told}")
        wrong = wrong or any(one.wrong for one in told)
    return wrong
