"""The command `graftbench`."""

import argparse
import logging
import sys
from collections.abc import Sequence

from graftbench.benchmark.core.errors import UserError, log_to_file
from graftbench.cli import (
    cache,
    capability,
    check,
    compare_paper,
    dataset,
    fetch,
    judge,
    leaderboard,
    model,
    organism,
    rejudge,
    score,
    show,
    submit,
    sweep,
    transfer,
    vector,
    zoo,
)

_COMMANDS = (
    *(score, transfer, sweep, rejudge, show, compare_paper, check, capability, vector),
    *(model, organism, fetch, dataset, zoo, judge, submit, leaderboard, cache),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, and return the exit status.

    0 is success, 1 a failed check, 2 a user's mistake, 130 an interruption.
    """
    arguments = _parser().parse_args(argv)
    log = log_to_file()
    try:
        status: int = arguments.run(arguments)
    except UserError as error:
        logging.getLogger("graftbench").exception("a user's mistake")
        print(f"graftbench: {error}" + (f" (details in {log})" if log else ""), file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("graftbench: interrupted; the same command goes on from here.", file=sys.stderr)  # noqa: T201
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graftbench", description="Does an intervention survive its transfer into another language model?"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_to(commands)
    return parser
