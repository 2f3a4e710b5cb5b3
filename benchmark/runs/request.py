"""A run as it is asked for: a suite, a mapper, which of its cells, and how they are run."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers.hosts import isolation_of
from graftbench.benchmark.mappers.info import MapperInfo
from graftbench.benchmark.runs.context import MOST_ROWS, BatchSize, Settings
from graftbench.benchmark.runs.executors.choose import WORKERS, Where
from graftbench.benchmark.runs.foresight import check_sites
from graftbench.benchmark.runs.plan import Cell, checks, dataset_identities, listed
from graftbench.benchmark.runs.suite import Suite

RUNS = Path("runs")


@dataclass(frozen=True)
class Request:
    """The parts of a run that a user chooses.

    Args:
        tasks, pairs, variants, tracks: Run these alone; all where none is named.
        only: Run the cells with these names alone; all where none is named.
        where: The executor, and how many cells it runs at a time.
        seed: The mapper's first seed.
        cell_timeout: Seconds after which a cell is stopped.
        out: The run's folder; by default one below `runs/`.
        cache: The folder of the store; by default in the user's cache.
        judge_requests, judge_dollars: What judges behind a server may spend.
        isolate: Whether a mapper that does not come with graftbench runs in an isolated process.

    """

    suite: Suite
    mapper: MapperInfo
    tasks: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    seed: int = 0
    batch_size: BatchSize = MOST_ROWS
    device: str = "auto"
    where: Where = field(default_factory=Where)
    cell_timeout: float | None = None
    out: Path | None = None
    cache: Path | None = None
    judge_requests: int | None = None
    judge_dollars: float | None = None
    isolate: bool = True

    def __post_init__(self) -> None:
        """Raise UserError where a number makes no sense, or this process would have to stop its own cells."""
        if self.batch_size != "auto" and self.batch_size < 1:
            raise UserError(f"The batch size is at least 1, not {self.batch_size}.")
        if self.cell_timeout is not None and self.where.executor == "inline":
            raise UserError("--executor inline stops no cell: leave out --cell-timeout, or take --executor local.")
        if self.cell_timeout is not None and not 0 < self.cell_timeout < math.inf:
            raise UserError(f"A cell is stopped after a number of seconds above 0, not after {self.cell_timeout:g}.")

    @property
    def workers(self) -> int:
        """Cells at a time on one machine."""
        return WORKERS if self.where.workers is None else self.where.workers

    def cells(self) -> list[Cell]:
        """Return the cells in the order in which they run; UserError where one cannot be."""
        for check in self._checks():
            check()
        return self.listed()

    def listed(self) -> list[Cell]:
        """Return the cells that are asked for, whether they can run here or not; UserError where there is none."""
        cells = listed(
            self.suite,
            deterministic=self.mapper.deterministic,
            seed=self.seed,
            tasks=self.tasks,
            pairs=self.pairs,
            variants=self.variants,
            tracks=self.tracks,
        )
        return [cell for cell in cells if not self.only or cell.name in self.only]

    def problems(self) -> list[str]:
        """Return why the cells cannot run, in a sentence for each task and one for a site that is not there."""
        found = []
        for check in self._checks():
            try:
                check()
            except UserError as error:
                found.append(str(error))
        return list(dict.fromkeys(found))

    def _checks(self) -> Iterator[Callable[[], None]]:
        cells = self.listed()
        yield from checks(self.suite, self.tasks)
        yield lambda: check_sites(self.suite, cells)

    def settings(self) -> Settings:
        """Return the settings of one execution, with a budget of its own for the judges."""
        budget = Budget(uuid4().hex, self.judge_requests, self.judge_dollars)
        device, cache = self.where.device(self.device), Store(self.cache).place
        datasets = tuple(dataset_identities(self.suite, self.tasks or self.suite.tasks).values())
        suite, workers = self.suite.model_dump_json(), self.where.on_one_machine
        return Settings(suite, self.batch_size, device, cache, datasets, budget, workers, self.isolation)

    @property
    def isolation(self) -> str | None:
        """How the mapper's code is kept apart, as the entry says it; None where it comes with graftbench."""
        return isolation_of(self.mapper, isolate=self.isolate)

    def left_out(self, chosen: Sequence[Cell]) -> list[Cell]:
        """Return the cells of the suite that count and are not among the chosen ones."""
        whole = listed(self.suite, deterministic=self.mapper.deterministic, seed=self.seed)
        names = {cell.name for cell in chosen}
        return [cell for cell in whole if not cell.check and cell.name not in names]

    def folder(self, chosen: Sequence[Cell]) -> Path:
        """Return the run's folder; a run of some cells has one of its own, so that it cannot overwrite a full run."""
        if self.out is not None:
            return self.out
        mapper = self.mapper
        parts = [self.suite.hash, mapper.sha256, mapper.options, self.seed, self.tasks, self.pairs]
        if self.variants or self.tracks:  # a run without them keeps the folder that it has had
            parts += [self.variants, self.tracks]
        names = [cell.name for cell in chosen]
        if names != [cell.name for cell in self.cells()]:
            parts.append(names)
        return RUNS / f"{self.suite.name}-{mapper.name}-{digest(*parts)[:8]}"
