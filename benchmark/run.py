"""`graftbench score`: run a mapper on a suite and write what came out."""

import json
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout
from rich.console import Console

from graftbench.leaderboard.build import leaderboard_of
from graftbench.leaderboard.entries import entry_text
from graftbench.leaderboard.schema import Cell as CellResult
from graftbench.leaderboard.schema import Entry, MapperRecord, SuiteIdentity

from .assemble import cell_result
from .budget import Budget
from .errors import UserError
from .files import write_text
from .headline import headline
from .mappers.finding import Found, MapperSpec, find
from .mappers.sources import hashes_of, keep_source
from .models import device_of
from .plan import Cell, planned
from .plugins import plugin
from .pool import Job, run_jobs, tell
from .progress import shown
from .rows import rows_of, what_they_took, write_rows
from .store import Store, digest
from .suite import Suite
from .work import Done, Prepared, Settings, prepare, score


@dataclass(frozen=True)
class Request:
    """What is to be run."""

    suite: Suite
    mapper: MapperSpec
    tasks: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    only: tuple[str, ...] = ()  # cells by name, where others are left out
    seed: int = 0
    batch_size: int = 256
    device: str = "auto"
    workers: int = 2
    cell_timeout: float | None = None
    out: Path | None = None
    cache: Path | None = None
    judge_requests: int | None = None  # that judges behind a server may take, and what they may cost
    judge_dollars: float | None = None

    def cells(self, found: Found) -> list[Cell]:
        """The cells, in the order in which they run."""
        cells = planned(
            self.suite, deterministic=found.deterministic, seed=self.seed, tasks=self.tasks, pairs=self.pairs
        )
        return [cell for cell in cells if not self.only or cell.name in self.only]

    @property
    def budget(self) -> Budget:
        """What its judges may spend, over all its processes."""
        return Budget(uuid4().hex, self.judge_requests, self.judge_dollars)

    def leaves_out(self, found: Found) -> bool:
        """Whether the tasks and pairs that were named leave cells of the suite out that count."""
        whole = planned(self.suite, deterministic=found.deterministic, seed=self.seed)
        chosen = {cell.name for cell in self.cells(found)}
        return any(not cell.check and cell.name not in chosen for cell in whole)

    def folder(self, found: Found) -> Path:
        """Where the run is written."""
        if self.out is not None:
            return self.out
        name = digest(self.suite.hash, found.sha256, found.options, self.seed, self.tasks, self.pairs)[:8]
        return Path("runs") / f"{self.suite.name}-{found.name}-{name}"


@dataclass(frozen=True)
class Run:
    """What came out: the entry and where it lies."""

    entry: Entry
    folder: Path

    @property
    def failed(self) -> list[CellResult]:
        """The cells that failed."""
        return [cell for cell in self.entry.cells if cell.status != "ok"]


def run(request: Request, console: Console) -> Run:
    """Run every cell and write entry, rows, timings and leaderboard; a cell that fails is recorded."""
    found = find(request.mapper)
    cells, folder = request.cells(found), request.folder(found)
    with _alone_in(folder):
        results, seconds = _results(request, found, cells, folder, console)
        entry = _entry(request, found, cells, results)
        keep_source(found, folder)
        write_run(folder, request.suite, entry, cells, results, seconds)
    return Run(entry, folder)


def _results(
    request: Request, found: Found, cells: Sequence[Cell], folder: Path, console: Console
) -> tuple[dict[str, Any], dict[str, float]]:
    device = device_of(request.device)
    cache = Store(request.cache).root
    settings = Settings(request.suite.model_dump_json(), request.batch_size, str(device), str(cache), request.budget)
    workers = 1 if device.type == "cuda" else request.workers  # a GPU is not shared
    started = time.monotonic()
    grounds = {cell.ground: f"{cell.ground_name}: what does not depend on the mapper is there" for cell in cells}
    with shown(cells, console, grounds) as (hear, finished):
        results = run_jobs(
            _jobs(request, cells, settings, found.sha256, folder),
            workers,
            4 if device.type == "cuda" else 1,
            hear,
            finished,
        )
    return results, {"total": time.monotonic() - started}


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


def _entry(request: Request, found: Found, cells: Sequence[Cell], results: dict[str, Any]) -> Entry:
    scored = [cell_result(cell, results[cell.name]) for cell in cells]
    tasks = dict.fromkeys(cell.task for cell in cells)
    judges = {name: plugin("tasks", name)().judges(request.suite.tasks[name].judges) for name in tasks}
    return Entry(
        graftbench_version=version("graftbench"),
        suite=SuiteIdentity(name=request.suite.name, hash=request.suite.hash),
        judges=judges,
        mapper=MapperRecord(
            name=found.name,
            source=request.mapper.source,
            sha256=found.sha256,
            files=hashes_of(found),
            options=found.options,
            deterministic=found.deterministic,
            vector_rule=found.vector_rule,
        ),
        judging=what_they_took(rows_of(cells, results), judges),
        environment=_environment(request),
        headline=headline(scored, filtered=request.leaves_out(found)),
        cells=scored,
    )


def _environment(request: Request) -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy", "peft", "sacrebleu")}
    return packages | {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": str(device_of(request.device)),
        "dtype": request.suite.dtype,
        "batch_size": str(request.batch_size),
    }


def write_run(
    folder: Path, suite: Suite, entry: Entry, cells: Sequence[Cell], results: dict[str, Any], seconds: dict[str, float]
) -> None:
    """The files of a run folder, each written whole."""
    write_text(folder / "suite.json", suite.model_dump_json(indent=1) + "\n")
    write_text(folder / "entry.json", entry_text(entry))
    write_text(folder / "leaderboard.json", json.dumps(leaderboard_of([entry]), indent=1) + "\n")
    write_rows(folder / "rows.parquet", cells, results)
    timings = {cell.name: done.seconds for cell in cells if isinstance(done := results[cell.name], Done)}
    grounds = {cell.ground_name: results.get(cell.ground) for cell in cells}
    prepared = {name: found.seconds for name, found in grounds.items() if isinstance(found, Prepared)}
    record = {"run": seconds, "grounds": prepared, "cells": timings}
    write_text(folder / "timings.json", json.dumps(record, indent=1) + "\n")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder for this run. UserError where another run holds it or it cannot be written to."""
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UserError(f"Another run is writing to {folder}. Wait for it, or name another with --out.") from error
    except OSError as error:
        raise UserError(f"{folder} cannot be written to: {error.strerror}. Name another with --out.") from error
    try:
        yield
    finally:
        lock.release()
