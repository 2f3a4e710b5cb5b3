"""A session of `pytest -m benchmark`: planned, collected, gathered at its end, printed."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.executors.inline import default_warnings
from graftbench.benchmark.runs.parts import Parts
from graftbench.benchmark.runs.plan import Cell
from graftbench.pytest_plugin.closing import SessionSummary, close_session
from graftbench.pytest_plugin.items import Scoring, mapper_tests, node_id
from graftbench.pytest_plugin.mappers import PlannedMapper, planned_mappers
from graftbench.pytest_plugin.names import ROOT, Asked

FOLDER = "graftbench_folder"  # among what pytest-xdist tells its workers


def begin(config: pytest.Config, asked: Asked, floor: float | None, wanted: Sequence[str] | None) -> None:
    """Plan the session, and register what collects its tests and, in the controller of xdist, what gathers results.

    UsageError where something that was named is not there.
    """
    try:
        planned = planned_mappers(asked)
        settings = _settings(planned)
    except UserError as error:
        raise pytest.UsageError(str(error)) from error
    worker: dict[str, str] | None = getattr(config, "workerinput", None)  # xdist sets it in its workers alone
    folder = Path(worker[FOLDER]) if worker else _temporary(config)
    scoring = Scoring(settings, folder, floor)
    config.pluginmanager.register(Collecting(planned, scoring, wanted), "graftbench-collecting")
    if not worker:
        config.pluginmanager.register(Closing(planned, scoring), "graftbench-closing")


def _settings(planned: Sequence[PlannedMapper]) -> Settings:
    """Return the settings of all mappers, with the isolation of those that do not come with graftbench."""
    isolations = (mapper.request.isolation for mapper in planned)
    return replace(planned[0].request.settings(), isolation=next(filter(None, isolations), None))


def _temporary(config: pytest.Config) -> Path:
    """Return a folder for the references of the session, which goes with it."""
    folder = tempfile.TemporaryDirectory(prefix="graftbench-")
    config.add_cleanup(folder.cleanup)
    return Path(folder.name)


class Collecting:
    """Adds the tests of cells to those of the repository, or keeps the wanted ones alone."""

    def __init__(self, planned: Sequence[PlannedMapper], scoring: Scoring, wanted: Sequence[str] | None) -> None:
        self._planned, self._scoring, self._wanted = planned, scoring, wanted

    @pytest.hookimpl(tryfirst=True)  # before -m and -k choose
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the tests."""
        for mapper in mapper_tests(session, self._planned, self._scoring):
            report = session.ihook.pytest_make_collect_report(collector=mapper)
            session.ihook.pytest_collectreport(report=report)  # so that they are counted
            items.extend(test for test in report.result if isinstance(test, pytest.Item))
        if self._wanted is not None:
            items[:] = _named(items, self._wanted)


def _named(items: Sequence[pytest.Item], wanted: Sequence[str]) -> list[pytest.Item]:
    """Return the tests with these ids, or of mappers with these ids; UsageError where an id names none."""
    found = [[item for item in items if f"{item.nodeid}::".startswith(f"{one}::")] for one in wanted]
    for one, these in zip(wanted, found, strict=True):
        if not these:
            raise pytest.UsageError(f"There is no test {one}: `--collect-only -q` lists them.")
    return list(dict.fromkeys(item for these in found for item in these))


class Closing:
    """Gathers the results of the cells that ran, in whichever process, and prints them."""

    def __init__(self, planned: Sequence[PlannedMapper], scoring: Scoring) -> None:
        self._planned, self._scoring = planned, scoring
        self._started = time.monotonic()
        self._ended: set[str] = set()  # the tests that ran
        self._summary = SessionSummary()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist where references go."""
        node.workerinput[FOLDER] = str(self._scoring.references)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember which tests ran: those that were called, or ended badly before."""
        if report.failed or (report.when == "call" and not report.skipped):
            self._ended.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)  # before other plugins write their reports
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write everything; a problem of the session as a whole is a failed test, too."""
        with default_warnings():
            self._summary = close_session(self._ran(), time.monotonic() - self._started)
        for name, what in self._summary.problems:
            session.testscollected += 1
            node = f"{ROOT}::{name}"
            report = pytest.TestReport(node, (ROOT, None, node), {}, "failed", what, "call")
            session.config.hook.pytest_runtest_logreport(report=report)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _ran(self) -> list[tuple[PlannedMapper, list[Cell], Parts]]:
        """Return the mappers of which a cell ran, with these cells in the order of the suite, and their parts."""
        found = [(one, [c for c in one.cells if node_id(one, c) in self._ended]) for one in self._planned]
        return [(one, cells, self._scoring.parts(one)) for one, cells in found if cells]

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter", config: pytest.Config) -> None:
        """Print the tables."""
        if self._summary.runs:
            text = StringIO()
            self._summary.print(Console(file=text, width=config.get_terminal_writer().fullwidth))
            terminalreporter.section("graftbench")
            terminalreporter.write(text.getvalue())
