"""The command `graftbench`."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

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

    0 is success, 1 a failed check, 2 a user's mistake, 130 an interruption, 143 a request to end (SIGTERM).
    """
    arguments = _parser().parse_args(argv)
    log = log_to_file()
    try:
        with _ended_in_order():
            status: int = arguments.run(arguments)
    except UserError as error:
        logging.getLogger("graftbench").exception("a user's mistake")
        print(f"graftbench: {error}" + (f" (details in {log})" if log else ""), file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt as stop:
        word, status = ("stopped", 143) if stop.args == (signal.SIGTERM,) else ("interrupted", 130)
        more = "; the same command goes on from here" if "goes_on" in arguments else ""
        print(f"graftbench: {word}{more}.", file=sys.stderr)  # noqa: T201
    return status


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Take SIGTERM as an interruption, so that processes that were started end, and their semaphores are given back."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graftbench", description="Does an intervention survive its transfer into another language model?"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_to(commands)
    return parser
