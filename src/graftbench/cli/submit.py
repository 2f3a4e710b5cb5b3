"""The command `graftbench submit`."""

import argparse
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import escape_control
from graftbench.benchmark.core.files import is_folder
from graftbench.cli.options import add_leaderboard, leaderboard_folder


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    submit = commands.add_parser("submit", help="check a run, and add its entry to a leaderboard")
    submit.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run of a whole suite")
    add_leaderboard(submit)
    submit.set_defaults(run=_submit)


def _submit(arguments: argparse.Namespace) -> int:
    if not is_folder(arguments.run_folder):  # before anything heavy is loaded
        raise UserError(f"{arguments.run_folder} is no folder of a run: `graftbench score` says where it wrote one.")
    folder = leaderboard_folder(arguments)
    from graftbench.leaderboard.submit import submit

    path = submit(arguments.run_folder, folder)
    print(escape_control(f"The entry is {path}. `graftbench leaderboard build` ranks it."))  # noqa: T201
    return 0
