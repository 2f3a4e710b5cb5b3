"""The command `graftbench submit`."""

import argparse
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import escape_control
from graftbench.benchmark.core.files import is_folder
from graftbench.cli.options import add_leaderboard, leaderboard_folder


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    submit = commands.add_parser("submit", help="check a run, and add its entry to the ranking of its suite")
    submit.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run of a whole suite")
    add_leaderboard(submit)
    submit.set_defaults(run=_submit)


def _submit(arguments: argparse.Namespace) -> int:
    if not is_folder(arguments.run_folder):  # before anything heavy is loaded
        raise UserError(f"{arguments.run_folder} is no folder of a run: `graftbench score` says where it wrote one.")
    folder = leaderboard_folder(arguments)
    from graftbench.leaderboard.submit import submit

    done = submit(arguments.run_folder, folder)
    new = ", which is new to the leaderboard," if done.first else ""
    place = f"The entry of the suite {done.suite}{new} is {done.path}."
    print(escape_control(f"{place} `graftbench leaderboard build` ranks it."))  # noqa: T201
    return 0
