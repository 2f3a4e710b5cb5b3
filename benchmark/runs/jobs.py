"""The jobs of a run: each cell after the reference that it shares with others; both write parts."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.results.schema import CellResult
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.executors.inline import Inline, Silent
from graftbench.benchmark.runs.executors.protocol import Failure, Job, Needs, Results
from graftbench.benchmark.runs.job_functions import (
    cell_job,
    reference_job,
    reference_side_effects_job,
    side_effects_job,
)
from graftbench.benchmark.runs.parts import Parts
from graftbench.benchmark.runs.plan import Cell


def jobs_of(
    cells: Sequence[Cell],
    settings: Settings,
    info: MapperInfo,
    parts: Parts,
    timeout: float | None = None,
    needs: Mapping[str, Needs] = MappingProxyType({}),
) -> list[Job]:
    """Return the jobs that are left to do: those whose parts are not there, or are incomplete.

    The cells of a reference follow it, so that a mapper's first result, or its error, is there early. Side effects are
    jobs of their own, those of conditions without the mapper once for all cells of a reference; the last job of a cell
    has its name. `needs` is by reference.
    """
    jobs: list[Job] = []
    for first in _spread(cells):
        left = [cell for cell in cells if cell.reference == first.reference and not is_finished(cell, parts)]
        jobs += _Group(first, left, settings, info, parts, timeout, needs.get(first.reference, Needs())).jobs()
    return jobs


@dataclass(frozen=True)
class _Group:
    """A cell of a reference, and the cells of this reference that are left to do."""

    first: Cell
    cells: Sequence[Cell]
    settings: Settings
    info: MapperInfo
    parts: Parts
    timeout: float | None
    needs: Needs

    def jobs(self) -> list[Job]:
        """Return the jobs, those of the reference and of the first cell before all others."""
        every: list[Job] = []
        after: tuple[str, ...] = ()
        if not _has_reference(self.first, self.parts):
            every.append(self._job(self.first.reference, reference_job, (self.first, self.settings), ()))
            after = (self.first.reference,)
        scored = [self._scoring(cell, after) for cell in self.cells if not is_scored(cell, self.parts)]
        measured = [cell for cell in self.cells if cell.has_side_effects]
        if not measured:
            return [*every, *scored]
        shared = self._shared_side_effects(after)
        later = [*after, *(job.name for job in (*scored, *shared))]
        return [*every, *scored[:1], *shared, *scored[1:], *(self._side_effects(cell, later) for cell in measured)]

    def _scoring(self, cell: Cell, after: tuple[str, ...]) -> Job:
        work = (cell, self.settings, self.info)
        return self._job(scoring_name(cell), cell_job, work, after, self.info.files)

    def _shared_side_effects(self, after: tuple[str, ...]) -> list[Job]:
        if self.parts.reference_side_effects(self.first) is not None:
            return []
        name, work = reference_side_effects_name(self.first), (self.first, self.settings)
        return [self._job(name, reference_side_effects_job, work, after)]

    def _side_effects(self, cell: Cell, earlier: Sequence[str]) -> Job:
        awaited = (scoring_name(cell), reference_side_effects_name(cell))
        after, files = tuple(name for name in awaited if name in earlier), (*self.info.files, self.parts.file_of(cell))
        return self._job(cell.name, side_effects_job, (cell, self.settings, self.info), after, files)

    def _job(
        self,
        name: str,
        function: Callable[..., None],
        arguments: tuple[Any, ...],
        after: tuple[str, ...],
        files: tuple[Path, ...] = (),
    ) -> Job:
        folders = (self.parts.folder, self.parts.references)
        return Job(name, function, arguments, after, self.timeout, files, folders, self.needs)


def scoring_name(cell: Cell) -> str:
    """Return the name of the job that scores a cell, which is not its last one where it has side effects."""
    return f"{cell.name} (success)" if cell.has_side_effects else cell.name


def reference_side_effects_name(cell: Cell) -> str:
    """Return the name of the job that measures the side effects of a cell's reference."""
    return f"{cell.reference} side effects"


def shared_labels(cells: Sequence[Cell]) -> dict[str, str]:
    """Return by name of a job that cells share what it is called in messages."""
    labels = {cell.reference: cell.reference_name for cell in cells}
    measured = [cell for cell in cells if cell.has_side_effects]
    return labels | {reference_side_effects_name(cell): f"{cell.reference_name}, side effects" for cell in measured}


def is_finished(cell: Cell, parts: Parts) -> bool:
    """Return True where the part of a cell is there, and running the cell again would mend nothing in it."""
    part = parts.of(cell)
    return part is not None and is_scored(cell, parts) and not part.awaits_side_effects


def is_scored(cell: Cell, parts: Parts) -> bool:
    """Return True where a cell has its answers, and at the most its side effects are left to measure."""
    part = parts.of(cell)
    return part is not None and part.cell.status == "ok" and part.complete


def record_failures(cells: Sequence[Cell], results: Results, parts: Parts) -> None:
    """Write the parts of the cells whose jobs failed."""
    for cell in cells:
        failure = results.get(cell.name)
        if isinstance(failure, Failure):
            parts.add(cell, cell_result(cell, failure), failure)


def _has_reference(cell: Cell, parts: Parts) -> bool:
    part = parts.reference(cell)
    return part is not None and part.failure is None and part.complete


def _spread(cells: Sequence[Cell]) -> list[Cell]:
    """Return a cell for each reference, those of one variant far apart: they share rows, and would wait."""
    seen: Counter[tuple[str, str]] = Counter()
    turns: dict[str, tuple[int, Cell]] = {}
    for cell in cells:
        if cell.reference not in turns:
            turns[cell.reference] = seen[cell.task, cell.variant], cell
            seen[cell.task, cell.variant] += 1
    return [cell for _, cell in sorted(turns.values(), key=lambda one: one[0])]


def run_cell(cell: Cell, settings: Settings, info: MapperInfo, parts: Parts) -> CellResult:
    """Run a cell in this process, and write its part; one that is finished already is read from its part."""
    if not is_finished(cell, parts) or not _has_reference(cell, parts):
        _run_here(cell, settings, info, parts)
    part = parts.of(cell)
    assert part is not None
    return part.cell


def _run_here(cell: Cell, settings: Settings, info: MapperInfo, parts: Parts) -> None:
    reference = parts.reference(cell)
    failure = reference.failure if reference is not None else None  # that another cell of the session met
    if failure is None:
        failure = _first_failure(cell, jobs_of([cell], settings, info, parts), settings, parts)
    if failure is not None:
        parts.add(cell, cell_result(cell, failure), failure)


def _first_failure(cell: Cell, jobs: Sequence[Job], settings: Settings, parts: Parts) -> Failure | None:
    try:
        results = Inline(settings.threads).run(jobs, Silent())
    except UserError as error:
        return Failure("failed", str(error), "")
    failed = results.get(cell.reference)
    if isinstance(failed, Failure):
        parts.add_reference(cell, failed)
    return next((result for result in results.values() if isinstance(result, Failure)), None)
