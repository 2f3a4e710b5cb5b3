"""The jobs of a run: each cell after the reference that it shares with others; both write parts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.results.schema import CellResult
from graftbench.benchmark.runs.cell import run_reference, score_cell
from graftbench.benchmark.runs.context import Settings, context_of
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.executors.inline import Inline, Silent
from graftbench.benchmark.runs.executors.protocol import Failure, Job, Needs, Results
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

    The cells of a reference follow it, so that a mapper's first result, or its error, is there early. `needs` is by
    reference.
    """
    folders = (parts.folder, parts.references)
    jobs = []
    for first in _spread(cells):
        takes = needs.get(first.reference, Needs())
        after: tuple[str, ...] = ()
        if not _has_reference(first, parts):
            after = (first.reference,)
            jobs.append(Job(first.reference, reference_job, (first, settings), (), timeout, (), folders, takes))
        jobs += [
            Job(cell.name, cell_job, (cell, settings, info), after, timeout, info.files, folders, takes)
            for cell in cells
            if cell.reference == first.reference and not is_finished(cell, parts)
        ]
    return jobs


def is_finished(cell: Cell, parts: Parts) -> bool:
    """Return True where the part of a cell is there, and running the cell again would mend nothing in it."""
    part = parts.of(cell)
    return part is not None and part.cell.status == "ok" and part.complete


def record_failures(cells: Sequence[Cell], results: Results, parts: Parts) -> None:
    """Write the parts of the cells whose jobs failed."""
    for cell in cells:
        failure = results.get(cell.name)
        if isinstance(failure, Failure):
            parts.add(cell, cell_result(cell, failure), failure)


def reference_job(cell: Cell, settings: Settings, folder: Path, references: Path) -> None:
    """Run the reference of a cell, and write its part."""
    Parts(folder, references).add_reference(cell, run_reference(cell, context_of(settings)))


def cell_job(cell: Cell, settings: Settings, info: MapperInfo, *paths: Path) -> None:
    """Score a cell, and write its part; `paths` are the mapper's files, the folder of parts and that of references."""
    *files, folder, references = paths
    outcome = score_cell(cell, context_of(settings), with_files(info, files), folder)
    Parts(folder, references).add(cell, cell_result(cell, outcome), outcome)


def with_files(info: MapperInfo, files: Sequence[Path]) -> MapperInfo:
    """Return a mapper whose files lie elsewhere, as on another machine."""
    return replace(info, file=files[0]) if files else info


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
