"""`graftbench score`: run a mapper on a suite in worker processes, and write what came out."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from graftbench.benchmark.core.files import copy_into
from graftbench.benchmark.mappers.loading import MapperInfo, MapperSpec, find, keep_source
from graftbench.benchmark.runs.cell import CellOutcome, ReferenceOutcome, prepare, score
from graftbench.benchmark.runs.entry import cell_result, entry_of
from graftbench.benchmark.runs.executors.local import run_jobs
from graftbench.benchmark.runs.executors.protocol import Failure, Job
from graftbench.benchmark.runs.executors.worker import tell
from graftbench.benchmark.runs.folder import MAPPERS, Run, Timings, alone_in, write_run
from graftbench.benchmark.runs.parts import CellPart, Parts, tables_of
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.progress import shown
from graftbench.benchmark.runs.request import Request, Settings


def run(request: Request, console: Console) -> Run:
    """Run every cell and write entry, rows, timings and leaderboard; a cell that fails is recorded."""
    found = find(request.mapper)
    cells = request.cells(found)
    folder = request.folder(found, cells)
    with alone_in(folder):
        started = time.monotonic()
        results = _results(request, cells, found.sha256, folder, console)
        timings = _timings(cells, results, time.monotonic() - started)
        scored = [cell_result(cell, results[cell.name]) for cell in cells]
        entry = entry_of(request, found, cells, scored, tables_of(cells, results))
        keep_source(found, folder)
        write_run(folder, request.suite, entry, tables_of(cells, results), timings)
    return Run(entry, folder)


def _results(request: Request, cells: Sequence[Cell], sha256: str, folder: Path, console: Console) -> dict[str, Any]:
    settings = request.settings()
    workers = 1 if settings.on_gpu else request.workers  # a GPU is not shared
    grounds = {cell.ground: f"{cell.ground_name}: what does not depend on the mapper is there" for cell in cells}
    jobs = _jobs(request, cells, settings, sha256, folder)
    with shown(cells, console, grounds) as (hear, finished):
        return run_jobs(jobs, workers, settings.threads, hear, finished)


def _timings(cells: Sequence[Cell], results: Mapping[str, Any], total: float) -> Timings:
    done = {cell.name: one.seconds for cell in cells if isinstance(one := results[cell.name], CellOutcome)}
    grounds = {cell.ground_name: results.get(cell.ground) for cell in cells}
    prepared = {name: found.seconds for name, found in grounds.items() if isinstance(found, ReferenceOutcome)}
    return Timings({"total": total}, prepared, done)


def _jobs(request: Request, cells: Sequence[Cell], settings: Settings, sha256: str, folder: Path) -> list[Job]:
    """Every cell after its ground, which cells share."""
    limit = request.cell_timeout
    grounds = [Job(cell.ground, _prepare, (cell, settings), timeout=limit) for cell in _apart(cells)]
    scores = [
        Job(
            cell.name,
            _score,
            (cell, settings, request.mapper, sha256, str(folder)),
            after=(cell.ground,),
            timeout=limit,
        )
        for cell in cells
    ]
    return [*grounds, *scores]


def _apart(cells: Sequence[Cell]) -> list[Cell]:
    """A cell on each ground, those of one variant far apart: they share rows, and would wait for each other."""
    seen: Counter[tuple[str, str]] = Counter()
    turns: dict[str, tuple[int, Cell]] = {}
    for cell in cells:
        if cell.ground not in turns:
            turns[cell.ground] = seen[cell.task, cell.variant], cell
            seen[cell.task, cell.variant] += 1
    return [cell for _, cell in sorted(turns.values(), key=lambda one: one[0])]


def _prepare(cell: Cell, settings: Settings) -> ReferenceOutcome:
    return prepare(cell, settings, tell)


def _score(cell: Cell, settings: Settings, spec: MapperSpec, sha256: str, folder: str) -> CellOutcome:
    return score(cell, settings, spec, sha256, folder, tell)


UNFINISHED = Failure("failed", "its test ended before the cell was done", "")


def gathered(request: Request, found: MapperInfo, ran: Sequence[Cell], parts: Parts, seconds: float) -> Run:
    """Write the run folder of the cells that ran, in so many seconds; one that left no part failed."""
    known = {cell.name: parts.of(cell) for cell in ran}
    results = [part.cell if (part := known[cell.name]) else cell_result(cell, UNFINISHED) for cell in ran]
    entry = entry_of(request, found, ran, results, parts.tables(ran))
    folder = request.folder(found, ran)
    with alone_in(folder):
        copy_into(folder / MAPPERS, parts.folder / MAPPERS)
        keep_source(found, folder)
        write_run(folder, request.suite, entry, parts.tables(ran), _timings_of_parts(ran, known, parts, seconds))
    return Run(entry, folder)


def _timings_of_parts(
    ran: Sequence[Cell], known: Mapping[str, CellPart | None], parts: Parts, seconds: float
) -> Timings:
    shared = {cell.ground_name: parts.ground(cell) for cell in ran}
    grounds = {name: part.seconds for name, part in shared.items() if part and part.seconds is not None}
    cells = {name: part.seconds for name, part in known.items() if part and part.seconds is not None}
    return Timings({"total": seconds}, grounds, cells)
