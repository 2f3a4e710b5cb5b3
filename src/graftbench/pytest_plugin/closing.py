"""The end of a session under pytest: run folders, a leaderboard, and problems of the session as a whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.builtin.controls import Identity, Mean, RandomMap, Shuffled, Zero
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.mappers.loading import mapper_class
from graftbench.benchmark.results.consistency import problems_of_cell
from graftbench.benchmark.results.schema import CellResult, Entry
from graftbench.benchmark.results.scores import CELLS_LEFT_OUT, score_of
from graftbench.benchmark.runs.folder import LEADERBOARD, FinishedRun
from graftbench.benchmark.runs.parts import Parts, remove_parts
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import RUNS
from graftbench.benchmark.runs.run import gather
from graftbench.benchmark.runs.suite import Suite
from graftbench.cli.tables import print_entry, print_ranking
from graftbench.leaderboard.comparability import names_of_both, reference_mismatches
from graftbench.leaderboard.own_runs import ranking_of_runs, write_leaderboard
from graftbench.pytest_plugin.mappers import PlannedMapper

NULL_CONTROLS: tuple[type, ...] = (
    Zero,
    Mean,
    Identity,
    RandomMap,
    Shuffled,
)  # should score nothing; `lookup` remembers


def invalid(cell: CellResult) -> list[str]:
    """List the problems of a cell. Figures that are not finite need no check: a record takes none."""
    if cell.status != "ok":
        return [cell.reason or cell.status]
    return list(problems_of_cell(cell))


def floor_of(suite: Suite, cell: CellResult, overall: float | None) -> float | None:
    """Return the least transfer asked of a cell: the overall floor where there is one, else the suite's."""
    if overall is not None:
        return overall
    specs = suite.tasks[cell.task].cells
    return next(spec.min_transfer for spec in specs if (spec.variant, spec.pair) == (cell.variant, cell.pair))


def below(floor: float | None, cell: CellResult) -> list[str]:
    """List that the transfer of a cell is below its floor; checks and cells that cannot be steered have none."""
    if floor is None or cell.check or not cell.steerable or cell.transfer is None:
        return []
    value = cell.transfer.value
    if value is None:
        return [f"it has no transfer ({cell.transfer.reason}), and the floor is {floor:g}"]
    return [] if value >= floor else [f"its transfer is {value:g}, and the floor is {floor:g}"]


def control_problems(info: MapperInfo, cells: Sequence[CellResult]) -> Iterator[str]:
    """Yield the fit tracks on which a null control scores significantly above 0 and above what random vectors do."""
    if info.file is not None or mapper_class(info) not in NULL_CONTROLS:
        return
    for track in dict.fromkeys(cell.track for cell in cells):
        score = score_of([cell for cell in cells if cell.track == track and not cell.check])
        if score.low is not None and score.null_high is not None and score.low > max(0.0, score.null_high):
            yield (
                f"{info.name} is a control that should do nothing, and scores {score.score:.1f} "
                f"({score.low:.1f} to {score.high:.1f}; random vectors {score.null_low:.1f} to {score.null_high:.1f}) "
                f"on the track {track}"
            )


def incomparable(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield where two mappers, or the seeds of one, differ under conditions that do not involve the mapper."""
    for other in entries:
        for what in reference_mismatches(other, entries[0]):
            yield f"{names_of_both(entries[0], other)} cannot be compared in {what}"


MAX_SHOWN = 5  # of the cells in which mappers cannot be compared


@dataclass
class SessionSummary:
    """The runs of a session, the files that were written, and its problems by name."""

    runs: list[FinishedRun] = field(default_factory=list)
    ranking: dict[str, Any] | None = None
    written: list[Path] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def print(self, console: Console) -> None:
        """Print the tables, and where everything is."""
        for run in self.runs:
            print_entry(run.entry, console)
        if self.ranking is not None and len(self.runs) > 1:
            print_ranking(self.ranking, console)
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


def _control_problems(mapper: PlannedMapper, ran: Sequence[Cell], run: FinishedRun) -> Iterator[str]:
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
        summary.ranking = ranking_of_runs(entries)
        write_leaderboard(path, entries)
    except UserError as error:
        summary.problems.append(("leaderboard", str(error)))
    else:
        summary.written.append(path)
