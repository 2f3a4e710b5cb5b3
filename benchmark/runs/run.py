"""Run a mapper on a suite, and gather what its cells wrote into a run folder."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import copy_into
from graftbench.benchmark.core.locks import locked
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers.loading import copy_source
from graftbench.benchmark.results.entry_files import read_owner
from graftbench.benchmark.results.schema import CellResult
from graftbench.benchmark.runs.disk import check_disk
from graftbench.benchmark.runs.entry import cell_result, entry_of
from graftbench.benchmark.runs.executors.protocol import Failure
from graftbench.benchmark.runs.folder import ENTRY, MAPPERS, FinishedRun, Timings, write_run
from graftbench.benchmark.runs.jobs import jobs_of, record_failures, shared_labels
from graftbench.benchmark.runs.order import former_seconds, longest_first
from graftbench.benchmark.runs.outlook import needs_of
from graftbench.benchmark.runs.parts import Parts, parts_folder, remove_parts
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.progress import Bars
from graftbench.benchmark.runs.request import Request

UNFINISHED = Failure("failed", "its test ended before the cell was done", "")


def run(request: Request, console: Console) -> FinishedRun:
    """Run every cell, and write entry, rows and timings; a cell that fails is recorded.

    Each cell is on disk once it has ended: a run that was killed goes on from there. UserError where the request makes
    no sense, the disk lacks room for activations, a mapper's file changes meanwhile, or another run writes to the
    folder.
    """
    cells, settings = request.cells(), request.settings()
    check_disk(request.suite, cells, Store.at(settings.cache).root)
    folder = request.folder(cells)
    place = parts_folder(folder, settings, request.mapper)
    parts = Parts(place, place / "references")
    with locked(folder):
        _not_another(request, folder)
        started = time.monotonic()
        needs = needs_of(request.suite, cells, settings)
        jobs = jobs_of(cells, settings, request.mapper, parts, request.cell_timeout, needs)
        jobs = longest_first(jobs, former_seconds(folder, request.suite, cells))
        executor = request.where.executor_for(settings)
        with Bars(cells, jobs, console, shared_labels(cells)) as bars:
            record_failures(cells, executor.run(jobs, bars), parts)
        finished = _write(request, cells, parts, time.monotonic() - started)
        remove_parts(folder)
    return finished


def _not_another(request: Request, folder: Path) -> None:
    """Raise UserError where a folder holds the finished run of another mapper or suite."""
    if not (folder / ENTRY).is_file():
        return
    there, mapper = read_owner(folder / ENTRY), request.mapper
    same = (there.mapper.sha256, there.mapper.options, there.suite.hash)
    if same != (mapper.sha256, mapper.options, request.suite.hash):
        raise UserError(
            f"{folder} holds a run of {there.mapper.name} on {there.suite.name}, which would be lost: name another "
            "folder."
        )


def gather(request: Request, cells: Sequence[Cell], parts: Parts, seconds: float) -> FinishedRun:
    """Write the run folder of cells that ran elsewhere, in so many seconds; one without a part failed."""
    with locked(request.folder(cells)):
        return _write(request, cells, parts, seconds)


def _write(request: Request, cells: Sequence[Cell], parts: Parts, seconds: float) -> FinishedRun:
    folder = request.folder(cells)
    results = [_result(cell, parts) for cell in cells]
    entry = entry_of(request, cells, results, parts.tables(cells))
    copy_into(folder / MAPPERS, parts.folder / MAPPERS)
    copy_source(request.mapper, folder)
    write_run(folder, request.suite, entry, parts.tables(cells), _timings(cells, parts, seconds))
    return FinishedRun(entry, folder)


def _result(cell: Cell, parts: Parts) -> CellResult:
    part = parts.of(cell)
    return cell_result(cell, UNFINISHED) if part is None or part.awaits_side_effects else part.cell


def _timings(cells: Sequence[Cell], parts: Parts, seconds: float) -> Timings:
    references = {cell.reference_name: parts.reference(cell) for cell in cells}
    side_effects = {cell.reference_name: parts.reference_side_effects(cell) for cell in cells}
    own = {cell.name: parts.of(cell) for cell in cells}
    return Timings(
        {"total": seconds},
        {name: part.seconds for name, part in references.items() if part and part.seconds is not None},
        {name: part.seconds for name, part in own.items() if part and part.seconds is not None},
        {name: took for name, took in side_effects.items() if took is not None},
    )
