"""The command `graftbench leaderboard verify`."""

import argparse
import secrets
from collections.abc import Sequence
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import escape_control
from graftbench.benchmark.core.files import is_file, is_folder
from graftbench.cli.options import add_leaderboard, leaderboard_folder, positive

CELLS = 3  # that --rerun runs without a number


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    verify = commands.add_parser("verify", help="compute everything again that follows from files")
    verify.add_argument("entry", nargs="?", type=Path, metavar="ENTRY", help="an entry's file, or a run (default: all)")
    add_leaderboard(verify)
    verify.add_argument(
        "--rerun",
        nargs="?",
        type=positive,
        const=CELLS,
        metavar="N",
        help=f"run N random cells of each entry again (default {CELLS}; none without --rerun)",
    )
    verify.add_argument(
        "--other-prompts",
        nargs="?",
        type=positive,
        const=0,
        metavar="SEED",
        help="after ENTRY, with --rerun: run these cells on other test prompts, too (default: of a random seed)",
    )
    verify.add_argument("--trust-code", action="store_true", help="run a submission's source or suite for that")
    verify.add_argument("--against", metavar="REVISION", help="say what changed since then, row by row: main, ...")
    verify.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    if arguments.other_prompts is not None and not arguments.rerun:
        raise UserError("--other-prompts goes with --rerun: name both.")
    entry, folder = _entry_and_leaderboard(arguments)
    if entry is None:
        from graftbench.leaderboard.entries import entry_files

        entry_files(folder)  # before anything heavy is loaded
    from graftbench.leaderboard.verify import verify, verify_all

    verified = [verify(entry, folder)] if entry else verify_all(folder)
    for one in verified:
        _print(one.report)
    if arguments.against is not None:
        from graftbench.leaderboard.changes import changes_since

        for line in changes_since(arguments.against, folder):
            _print(line)
    wrong = any(one.wrong for one in verified)
    if arguments.rerun:
        sound = [one.path for one in verified if one.entry is not None and not one.wrong]
        differs = [_rerun_differs(path, folder, arguments) for path in sound]
        wrong = wrong or any(differs)
    return 1 if wrong else 0


def _print(line: str) -> None:
    """Print one line, with control characters in names and texts of others escaped."""
    print(escape_control(line))  # noqa: T201


def _entry_and_leaderboard(arguments: argparse.Namespace) -> tuple[Path | None, Path]:
    """Return the entry's file, if one is named, and the leaderboard it belongs to, which may be another than named."""
    entry: Path | None = arguments.entry
    folder = leaderboard_folder(arguments)
    if entry is None:
        return None, folder
    if is_folder(entry):
        entry = _entry_of_run(entry)
    on_a_leaderboard = is_file(entry) and entry.resolve().parent.name == "entries"
    return entry, entry.resolve().parent.parent if on_a_leaderboard else folder


def _entry_of_run(folder: Path) -> Path:
    """Return the path of a run's entry; UserError, with what to name instead, where a folder is that of no run."""
    from graftbench.benchmark.runs.folder import entry_in
    from graftbench.leaderboard.entries import ENTRIES

    board = folder.resolve().parent if folder.resolve().name == ENTRIES else folder
    if is_folder(board / ENTRIES):
        raise UserError(f"{folder} is no run but a leaderboard: `--leaderboard {board}` verifies all its entries.")
    return entry_in(folder)


def _rerun_differs(path: Path, folder: Path, arguments: argparse.Namespace) -> bool:
    """Rerun some cells of an entry, print how they compare, and return whether any of them is wrong."""
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from graftbench.leaderboard.rerun import rerun_entry

    with TemporaryDirectory() as out:
        diffs = rerun_entry(path, folder, arguments.rerun, trust=arguments.trust_code, out=Path(out), console=Console())
    for diff in diffs:
        _print(f"{path.name}, {diff.report}")
    if arguments.other_prompts is not None:
        _ask_other_prompts(path, folder, [diff.name for diff in diffs], arguments)
    return any(diff.wrong for diff in diffs)


def _ask_other_prompts(path: Path, folder: Path, names: Sequence[str], arguments: argparse.Namespace) -> None:
    """Run cells of an entry on other test prompts, and print a line for each."""
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from graftbench.leaderboard.other_prompts import other_prompts_of_entry

    seed = arguments.other_prompts or 1 + secrets.randbelow(2**31)
    _print(f"{path.name}: other test prompts are those of seed {seed}")
    trust = arguments.trust_code
    with TemporaryDirectory() as out:
        lines = other_prompts_of_entry(path, folder, names, seed, trust=trust, out=Path(out), console=Console())
    for line in lines:
        _print(f"{path.name}, {line}")
