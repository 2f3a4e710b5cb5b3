"""The end of a session under pytest: run folders and a leaderboard, and what is wrong with the session as a whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.scores import LEFT_OUT
from graftbench.benchmark.runs.folder import LEADERBOARD, Run
from graftbench.benchmark.runs.parts import Parts
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import RUNS
from graftbench.benchmark.runs.run import gathered
from graftbench.cli.tables import print_entry, print_leaderboard
from graftbench.leaderboard.ranking import leaderboard_of, write_leaderboard
from graftbench.pytest_plugin.mappers import PlannedMapper
from graftbench.pytest_plugin.validity import incomparable, off

TOLD = 5  # cells in which mappers cannot be compared


@dataclass
class Closed:
    """What was written of a session, and what is wrong with it, by name."""

    runs: list[Run] = field(default_factory=list)
    board: dict[str, Any] | None = None
    written: list[Path] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def print(self, console: Console) -> None:
        """Print the tables, and where everything is."""
        for run in self.runs:
            print_entry(run.entry, console)
        if self.board is not None and len(self.runs) > 1:
            print_leaderboard(self.board, console)
        for path in self.written:
            console.print(f"Written to {path}", highlight=False, markup=False, soft_wrap=True)


def closed(ran: Sequence[tuple[PlannedMapper, Sequence[Cell], Parts]], seconds: float) -> Closed:
    """Write the run folders of mappers with the cells that ran, and the leaderboard of all of them."""
    found = Closed()
    for contender, cells, parts in ran:
        try:
            run = gathered(contender.request, contender.found, cells, parts, seconds)
            write_leaderboard(run.folder / LEADERBOARD, [run.entry])
        except UserError as error:
            found.wrong.append((f"{contender.name}::written", str(error)))
            continue
        found.runs.append(run)
        found.written.append(run.folder)
        found.wrong += [(f"{contender.name}::control", what) for what in _off(contender, cells, run)]
    apart = list(incomparable([run.entry for run in found.runs]))
    if apart:
        more = [f"and {len(apart) - TOLD} more"] if len(apart) > TOLD else []
        found.wrong.append(("comparable", "\n".join([*apart[:TOLD], *more])))
    if found.runs:
        _rank(found)
    return found


def _off(contender: PlannedMapper, ran: Sequence[Cell], run: Run) -> Iterator[str]:
    """What is wrong with a control, on the tasks and tracks that were run whole."""
    partly = {(cell.task, cell.track) for cell in contender.request.left_out(contender.found, ran)}
    return off(contender.found, [cell for cell in run.entry.cells if (cell.task, cell.track) not in partly])


def _rank(found: Closed) -> None:
    """Write the leaderboard, where the mappers ran in the same tasks."""
    entries = [run.entry for run in found.runs]
    part = "-part" if any(entry.headline.reason == LEFT_OUT for entry in entries) else ""
    path = RUNS / f"{entries[0].suite.name}{part}-leaderboard.json"
    try:
        found.board = leaderboard_of(entries)
        write_leaderboard(path, entries)
    except UserError as error:
        found.wrong.append(("leaderboard", str(error)))
    else:
        found.written.append(path)
