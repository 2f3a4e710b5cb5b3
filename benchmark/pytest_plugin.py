"""The pytest plugin: `pytest -m benchmark` scores mappers, a test for each cell.

pytest imports it at every start, wherever graftbench is installed. So it imports nothing but pytest, and everything
else once benchmarks are asked for.
"""

import re
from typing import Any

import pytest
from _pytest.mark.expression import Expression

MARKER = "benchmark"
OPTIONS: dict[str, dict[str, Any]] = {
    "--mapper": {
        "action": "append",
        "metavar": "MAPPER",
        "help": "a mapper's name, or path/to/file.py:Class (may be repeated; default ridge and the controls)",
    },
    "--suite": {"metavar": "SUITE", "help": "a suite that ships, or a YAML file (default pocket)"},
    "--task": {"action": "append", "metavar": "TASK", "help": "run this task alone (may be repeated)"},
    "--min-transfer": {
        "type": float,
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
    mappers, suite, tasks, floor = given = [config.getoption(_dest(name)) for name in OPTIONS]
    if asked_for(config.getoption("markexpr")):
        from .usual_warnings import usual_warnings

        with usual_warnings():
            from .pytest_session import begin

            begin(config, mappers or [], suite or "pocket", tasks or [], floor)
        return
    for name, value in zip(OPTIONS, given, strict=True):
        if value is not None:
            raise pytest.UsageError(f"{name} is for benchmarks, which are not run: add `-m {MARKER}`.")


def asked_for(expression: str) -> bool:
    """Whether the expression after -m names benchmarks, and selects what is marked as nothing else.

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
