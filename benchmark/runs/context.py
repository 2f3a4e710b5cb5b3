"""The context of a run, made once in each process and shared by its cells: suite, models, store."""

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Literal

import torch

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.protocol import Experiment
from graftbench.benchmark.interventions.model_check import check_once
from graftbench.benchmark.models.load import Model, files_of
from graftbench.benchmark.models.memory import limit_by_free_memory
from graftbench.benchmark.models.pool import ModelPool, PooledModel, grant_of, pooled_model, pooled_twin
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.runs.executors.worker import report
from graftbench.benchmark.runs.plan import Cell, dataset_of, task_named
from graftbench.benchmark.runs.suite import Suite

BatchSize = int | Literal["auto"]  # auto: as many rows as memory holds
MOST_ROWS = 256  # of a batch by default, and of one on `auto`


@dataclass(frozen=True)
class Settings:
    """Settings of a run, in a form that goes from process to process.

    Args:
        suite: The suite as JSON.
        device: Such as `cpu` or `cuda:0`.
        cache: The folder of the store, or the address that machines share.
        datasets: The identities of the suite's datasets.
        budget: What judges behind a server may spend, over all processes.
        workers: Cells that run at a time on a CPU; its memory is shared among them.
        isolation: How mappers that do not come with graftbench are kept apart; None where there are none.

    """

    suite: str
    batch_size: BatchSize
    device: str
    cache: str
    datasets: tuple[str, ...] = ()
    budget: Budget | None = None
    workers: int = 1
    isolation: str | None = None

    @property
    def n_rows(self) -> int:
        """Rows of a batch, where memory holds them."""
        return MOST_ROWS if self.batch_size == "auto" else self.batch_size

    @property
    def on_gpu(self) -> bool:
        """True for a run on a GPU."""
        return self.device.startswith("cuda")

    @property
    def threads(self) -> int:
        """Threads of torch in each process: tiny models run fastest on one."""
        return 4 if self.on_gpu else 1


@dataclass(frozen=True, eq=False)
class RunContext:
    """The parsed suite, the store and the models of a run, loaded as far as memory is granted to them."""

    settings: Settings
    suite: Suite
    store: Store
    _handles: dict[tuple[str, str], PooledModel] = field(default_factory=dict)

    @cached_property
    def pool(self) -> ModelPool:
        """The models that are loaded in this process."""
        workers = 1 if self.settings.on_gpu else self.settings.workers  # a GPU is not shared
        return ModelPool(grant_of(torch.device(self.settings.device), workers))

    def model(self, family: str, version: str) -> PooledModel:
        """Return the handle of a family's model in one version, the same one every time."""
        spec = self.suite.spec(family, version)
        own = version in self.suite.models[family] or spec.twin_of is not None
        key = family, version if own else "any"
        if key not in self._handles:
            self._handles[key] = self._handle(family, version)
        return self._handles[key]

    def experiment(self, cell: Cell, position: Position = None) -> Experiment:
        """Return the experiment of a cell, at another position than the task's own where one is given."""
        bench = Bench(self.store, self.settings.n_rows, self.suite.max_new_tokens, report, self.settings.budget)
        report("models")
        order = replace(cell.order, position=position)
        return task_named(cell.task).experiment(order, dataset_of(self.suite, cell.task), self.model, bench)

    def _handle(self, family: str, version: str) -> PooledModel:
        spec = self.suite.spec(family, version)
        if spec.twin_of is not None:
            return pooled_twin(self.model(spec.twin_of, version), spec.seed, self._limit)
        assert spec.model is not None
        files = files_of(
            spec.model,
            revision=spec.revision,
            dtype=self.suite.dtype,
            device=self.settings.device,
            blocks=spec.blocks,
            writers=spec.writers,
            chat=spec.chat,
        )
        return pooled_model(files, self.pool, self._check)

    def _check(self, model: Model) -> None:
        check_once(self.store, model)
        self._limit(model)

    def _limit(self, model: Model) -> None:
        if self.settings.batch_size == "auto":
            limit_by_free_memory(model)


@lru_cache(maxsize=1)  # of the run that is going on: its models fill the memory
def context_of(settings: Settings) -> RunContext:
    """Return the context of a run in this process."""
    return RunContext(settings, Suite.model_validate_json(settings.suite), Store.at(settings.cache))
