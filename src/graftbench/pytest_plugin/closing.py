"""The end of a session under pytest: run folders, a leaderboard, and problems of the session as a whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.scores import CELLS_LEFT_OUT
from graftbench.benchmark.runs.folder import LEADERBOARD, Run
from graftbench.benchmark.runs.parts import Parts, remove_parts
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import RUNS
from graftbench.benchmark.runs.run import gather
from graftbench.cli.tables import print_entry, print_leaderboard
from graftbench.leaderboard.ranking import leaderboard_of, write_leaderboard
from graftbench.pytest_plugin.mappers import PlannedMapper
from graftbench.pytest_plugin.validity import control_problems, incomparable

MAX_SHOWN = 5  # of the cells in which mappers cannot be compared


@dataclass
class SessionSummary:
    """The runs of a session, the files that were written, and its problems by name."""

    runs: list[Run] = field(default_factory=list)
    board: dict[str, Any] | None = None
    written: list[Path] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def print(self, console: Console) -> None:
        """Print the tables, and where everything is."""
        for run in self.runs:
            print_entry(run.entry, console)
        if self.board is not None and len(self.runs) > 1:
            print_leaderboard(self.board, console)
        for path in self.written:
            console.print(f"Written to {path}", highlight=False, markup=False, soft_wrap=True)


def close_session(ran: Sequence[tuple[PlannedMapper, Sequence[Cell], Parts]], seconds: float) -> SessionSummary:
    """Write the run folders of mappers with the cells that ran, and the leaderboard of all of them."""
    summary = SessionSummary()
    for mapper, cells, parts in ran:
        try:
            run = gather(mapper.request, cells, parts, seconds)
            write_leaderboard(run.folder / LEADERBOARD, [run.entry])
            if len(cells) == len(mapper.cells):
                remove_parts(run.folder)
        except UserError as error:
            summary.problems.append((f"{mapper.name}::written", str(error)))
            continue
        summary.runs.append(run)
        summary.written.append(run.folder)
        summary.problems += [(f"{mapper.name}::control", what) for what in _control_problems(mapper, cells, run)]
    mismatches = list(incomparable([run.entry for run in summary.runs]))
    if mismatches:
        more = [f"and {len(mismatches) - MAX_SHOWN} more"] if len(mismatches) > MAX_SHOWN else []
        summary.problems.append(("comparable", "\n".join([*mismatches[:MAX_SHOWN], *more])))
    if summary.runs:
        _rank(summary)
    return summary


def _control_problems(mapper: PlannedMapper, ran: Sequence[Cell], run: Run) -> Iterator[str]:
    """Yield the problems of a control, on the tasks and tracks of which all cells ran."""
    partly = {(cell.task, cell.track) for cell in mapper.request.left_out(ran)}
    return control_problems(
        mapper.request.mapper, [cell for cell in run.entry.cells if (cell.task, cell.track) not in partly]
    )


def _rank(summary: SessionSummary) -> None:
    """Write the leaderboard, where the mappers ran in the same tasks."""
    entries = [run.entry for run in summary.runs]
    part = "-part" if any(entry.headline.reason == CELLS_LEFT_OUT for entry in entries) else ""
    path = RUNS / f"{entries[0].suite.name}{part}-leaderboard.json"
    try:
        summary.board = leaderboard_of(entries)
        write_leaderboard(path, entries)
    except UserError as error:
        summary.problems.append(("leaderboard", str(error)))
    else:
        summary.written.append(path)
