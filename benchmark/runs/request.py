"""What is asked of a run: a suite, a mapper, which of its cells, and how they are run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.mappers.loading import MapperInfo, MapperSpec
from graftbench.benchmark.models.load import device_of
from graftbench.benchmark.runs.plan import Cell, planned
from graftbench.benchmark.runs.suite import Suite

Told = Callable[[str, str, int, int], None]  # cell, what, done, of how many


@dataclass(frozen=True)
class Settings:
    """How a run is done, which is no part of what comes out."""

    suite: str  # as JSON
    batch_size: int
    device: str
    cache: str | None
    budget: Budget | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether it is done on a GPU."""
        return self.device.startswith("cuda")

    @property
    def threads(self) -> int:
        """Of torch, in each process: tiny models run fastest on one."""
        return 4 if self.on_gpu else 1


def _store(settings: Settings) -> Store:
    return Store(Path(settings.cache) if settings.cache else None)


RUNS = Path("runs")


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

    def cells(self, found: MapperInfo) -> list[Cell]:
        """The cells, in the order in which they run."""
        cells = planned(
            self.suite, deterministic=found.deterministic, seed=self.seed, tasks=self.tasks, pairs=self.pairs
        )
        return [cell for cell in cells if not self.only or cell.name in self.only]

    def settings(self) -> Settings:
        """How its cells are run in one go, with what its judges may spend over all its processes."""
        budget = Budget(uuid4().hex, self.judge_requests, self.judge_dollars)
        device, cache = device_of(self.device), Store(self.cache).root
        return Settings(self.suite.model_dump_json(), self.batch_size, str(device), str(cache), budget)

    def left_out(self, found: MapperInfo, chosen: Sequence[Cell]) -> list[Cell]:
        """The cells of the suite that count and are not among the chosen ones."""
        whole = planned(self.suite, deterministic=found.deterministic, seed=self.seed)
        names = {cell.name for cell in chosen}
        return [cell for cell in whole if not cell.check and cell.name not in names]

    def folder(self, found: MapperInfo, chosen: Sequence[Cell]) -> Path:
        """Where the run is written; one that is left with a part of its cells does not take the place of the whole."""
        if self.out is not None:
            return self.out
        what = [self.suite.hash, found.sha256, found.options, self.seed, self.tasks, self.pairs]
        names = [cell.name for cell in chosen]
        if names != [cell.name for cell in self.cells(found)]:
            what.append(names)
        return RUNS / f"{self.suite.name}-{found.name}-{digest(*what)[:8]}"
