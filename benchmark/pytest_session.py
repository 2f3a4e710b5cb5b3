"""A session of `pytest -m benchmark`: what is planned, collected, brought together at the end and told."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from graftbench.leaderboard.build import leaderboard_of

from .contenders import Contender, contenders
from .errors import UserError
from .files import write_text
from .gathering import gathered
from .plan import Cell
from .pytest_items import ROOT, Scoring, mapper_tests, node_id
from .report import print_entry, print_leaderboard
from .request import RUNS
from .run_folder import Run, leaderboard_text
from .usual_warnings import usual_warnings
from .validity import incomparable, off

FOLDER = "graftbench_folder"  # among what pytest-xdist tells its workers
TOLD = 5  # mappers and cells that cannot be compared


def begin(config: pytest.Config, mappers: Sequence[str], suite: str, tasks: Sequence[str], floor: float | None) -> None:
    """Plan the session, and have it collected; what comes of it is brought together where no worker of xdist runs.

    UsageError where something that was named is not there.
    """
    try:
        planned = contenders(mappers, suite, tasks)
        settings = planned[0].request.settings()
    except UserError as error:
        raise pytest.UsageError(str(error)) from error
    told: dict[str, str] | None = getattr(config, "workerinput", None)  # xdist sets it in its workers alone
    folder = Path(told[FOLDER]) if told else _temporary(config)
    scoring = Scoring(settings, folder, floor)
    config.pluginmanager.register(Collecting(planned, scoring), "graftbench-collecting")
    if not told:
        config.pluginmanager.register(Closing(planned, scoring), "graftbench-closing")


def _temporary(config: pytest.Config) -> Path:
    """A folder for the parts of the session, which goes with it."""
    folder = tempfile.TemporaryDirectory(prefix="graftbench-")
    config.add_cleanup(folder.cleanup)
    return Path(folder.name)


class Collecting:
    """Adds the tests of cells to those of the repository, also where it has none."""

    def __init__(self, planned: Sequence[Contender], scoring: Scoring) -> None:
        self._planned, self._scoring = planned, scoring

    @pytest.hookimpl(tryfirst=True)  # before -m and -k choose
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the tests."""
        for mapper in mapper_tests(session, self._planned, self._scoring):
            report = session.ihook.pytest_make_collect_report(collector=mapper)
            session.ihook.pytest_collectreport(report=report)  # so that they are counted
            items.extend(test for test in report.result if isinstance(test, pytest.Item))


class Closing:
    """Brings together what came out of the cells that ran, wherever they did, and tells it."""

    def __init__(self, planned: Sequence[Contender], scoring: Scoring) -> None:
        self._planned, self._scoring = planned, scoring
        self._started = time.monotonic()
        self._ended: set[str] = set()  # the tests that ran
        self._runs: list[Run] = []
        self._board: dict[str, Any] | None = None
        self._written: list[Path] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist where parts go."""
        node.workerinput[FOLDER] = str(self._scoring.folder)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember which tests ran: those that were called, or ended badly before."""
        if report.failed or (report.when == "call" and not report.skipped):
            self._ended.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)  # before what is told is written down
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write run folders and the leaderboard; what is wrong with the session as a whole is a failed test, too."""
        with usual_warnings():
            wrong = list(self._close())
        for name, what in wrong:
            session.testscollected += 1
            node = f"{ROOT}::{name}"
            report = pytest.TestReport(node, (ROOT, None, node), {}, "failed", what, "call")
            session.config.hook.pytest_runtest_logreport(report=report)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _close(self) -> Iterator[tuple[str, str]]:
        """Write everything; gives what is wrong with it, by name."""
        for contender in self._planned:
            ran = [cell for cell in contender.cells if node_id(contender, cell) in self._ended]
            try:
                yield from self._close_mapper(contender, ran) if ran else ()
            except UserError as error:
                yield f"{contender.name}::written", str(error)
        entries = [run.entry for run in self._runs]
        apart = list(incomparable(entries))
        if apart:
            more = [f"and {len(apart) - TOLD} more"] if len(apart) > TOLD else []
            yield "comparable", "\n".join([*apart[:TOLD], *more])
        try:
            self._rank()
        except UserError as error:
            yield "leaderboard", str(error)

    def _close_mapper(self, contender: Contender, ran: Sequence[Cell]) -> Iterator[tuple[str, str]]:
        run = gathered(contender, ran, self._scoring.parts(contender), time.monotonic() - self._started)
        self._runs.append(run)
        self._written.append(run.folder)
        partly = {(cell.task, cell.track) for cell in contender.request.left_out(contender.found, ran)}
        whole = [cell for cell in run.entry.cells if (cell.task, cell.track) not in partly]
        for what in off(contender.found, whole):
            yield f"{contender.name}::control", what

    def _rank(self) -> None:
        if not self._runs:
            return
        self._board = leaderboard_of([run.entry for run in self._runs])
        path = RUNS / f"{self._planned[0].request.suite.name}-leaderboard.json"
        write_text(path, leaderboard_text(self._board))
        self._written.append(path)

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter", config: pytest.Config) -> None:
        """Print the tables, and where everything is."""
        if not self._runs:
            return
        text = StringIO()
        console = Console(file=text, width=config.get_terminal_writer().fullwidth)
        for run in self._runs:
            print_entry(run.entry, console)
        if self._board is not None and len(self._runs) > 1:
            print_leaderboard(self._board, console)
        terminalreporter.section("graftbench")
        terminalreporter.write(text.getvalue())
        for path in self._written:
            terminalreporter.write_line(f"Written to {path}")
