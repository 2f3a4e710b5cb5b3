"""`graftbench score`: run a mapper on a suite in worker processes, and write what came out."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from .assemble import cell_result
from .entry import entry_of
from .mappers.finding import MapperSpec, find
from .mappers.sources import keep_source
from .plan import Cell
from .pool import Job, run_jobs, tell
from .progress import shown
from .request import Request
from .rows import tables_of
from .run_folder import Run, Timings, alone_in, write_run
from .work import Done, Prepared, Settings, prepare, score


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
    done = {cell.name: one.seconds for cell in cells if isinstance(one := results[cell.name], Done)}
    grounds = {cell.ground_name: results.get(cell.ground) for cell in cells}
    prepared = {name: found.seconds for name, found in grounds.items() if isinstance(found, Prepared)}
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


def _prepare(cell: Cell, settings: Settings) -> Prepared:
    return prepare(cell, settings, tell)


def _score(cell: Cell, settings: Settings, spec: MapperSpec, sha256: str, folder: str) -> Done:
    return score(cell, settings, spec, sha256, folder, tell)
