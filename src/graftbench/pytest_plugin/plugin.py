"""The pytest plugin: `pytest -m benchmark` scores mappers, a test for each cell.

pytest imports it at every start, wherever graftbench is installed. So it imports nothing but pytest, and everything
else once benchmarks are asked for.
"""

import argparse
import math
import re
from typing import Any

import pytest
from _pytest.mark.expression import Expression

from graftbench.pytest_plugin.names import MARKER, ROOT, Asked


def _floor(text: str) -> float:
    try:
        floor = float(text)
    except ValueError:
        floor = math.nan
    if not math.isfinite(floor):
        raise argparse.ArgumentTypeError(f"{text!r} is no number that a transfer could be below")
    return floor


OPTIONS: dict[str, dict[str, Any]] = {
    "--mapper": {
        "action": "append",
        "metavar": "MAPPER",
        "help": "a mapper's name, or path/to/file.py:Class (may be repeated; default ridge and the controls)",
    },
    "--suite": {"metavar": "SUITE", "help": "a suite that ships, or a YAML file (default pocket)"},
    "--task": {"action": "append", "metavar": "TASK", "help": "run this task alone (may be repeated)"},
    "--variant": {"action": "append", "metavar": "VARIANT", "help": "run this variant alone (may be repeated)"},
    "--track": {"action": "append", "metavar": "TRACK", "help": "run this fit track alone (may be repeated)"},
    "--min-transfer": {
        "type": _floor,
        "metavar": "FLOOR",
        "help": "fail where the transfer of a cell that can be steered is below; overrides the suite's own floors",
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, of which none does anything without `-m benchmark`."""
    group = parser.getgroup("graftbench", "graftbench: scores of mappers, with -m benchmark")
    for name, about in OPTIONS.items():
        group.addoption(name, dest=_dest(name), default=None, **about)


def pytest_configure(config: pytest.Config) -> None:
    """Plan what is asked for. UsageError, before anything runs, where something in it is not there."""
    config.addinivalue_line("markers", f"{MARKER}: cells of a graftbench suite, scored by `pytest -m {MARKER}`")
    mappers, suite, tasks, variants, tracks, floor = given = [config.getoption(_dest(name)) for name in OPTIONS]
    if asked_for(config.getoption("markexpr")):
        wanted = _taken(config, named=any(value is not None for value in given))
        if wanted == []:
            return
        from graftbench.benchmark.runs.executors.inline import default_warnings

        with default_warnings():
            from graftbench.pytest_plugin.session import begin

            lists = (tuple(each or ()) for each in (tasks, variants, tracks))
            begin(config, Asked(tuple(mappers or ()), suite or "pocket", *lists), floor, wanted)
        return
    for name, value in zip(OPTIONS, given, strict=True):
        if value is not None:
            raise pytest.UsageError(f"{name} is for benchmarks, which are not run: add `-m {MARKER}`.")


def _taken(config: pytest.Config, *, named: bool) -> list[str] | None:
    """The ids of cells' tests, taken from the command line, where pytest would look for files; None stands for all.

    Where paths alone are given, no cells are wanted: who runs one file does not ask for a suite. UsageError where ids
    and paths are given together.
    """
    ids = [word for word in config.args if word.partition("::")[0] == ROOT]
    on_paths = config.args_source is pytest.Config.ArgsSource.ARGS and len(config.args) > len(ids)
    if ids and on_paths:
        raise pytest.UsageError(f"{ids[0]} names a cell, and beside it there are paths: give one or the other.")
    if ids:
        config.args.clear()
    return ids or ([] if on_paths and not named else None)


def asked_for(expression: str) -> bool:
    """Return True where the expression after -m names benchmarks, and selects tests with that marker alone.

    UsageError where it is no expression.
    """
    if not re.search(rf"\b{MARKER}\b", expression):
        return False
    try:
        return Expression.compile(expression).evaluate(lambda name, /, **_: name == MARKER)
    except Exception as error:  # of another class in other versions of pytest
        raise pytest.UsageError(f"-m {expression!r} is no expression of markers: {error}") from error


def _dest(option: str) -> str:
    return f"graftbench_{option.strip('-').replace('-', '_')}"
