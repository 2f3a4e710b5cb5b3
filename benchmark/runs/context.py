"""The context of a run, made once in each process and shared by its cells: suite, models, store."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.protocol import Experiment
from graftbench.benchmark.interventions.model_check import check_once
from graftbench.benchmark.models.load import Model, load
from graftbench.benchmark.models.memory import limit_by_free_memory
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.models.twin import twin_of
from graftbench.benchmark.runs.executors.worker import report
from graftbench.benchmark.runs.plan import Cell, dataset_of, task_named
from graftbench.benchmark.runs.suite import Suite

KEPT = 2**31  # bytes of models that stay loaded for later experiments
BatchSize = int | Literal["auto"]  # auto: as many rows as memory holds
MOST_ROWS = 256  # of a batch by default, and of one on `auto`


@dataclass(frozen=True)
class Settings:
    """Settings of a run, in a form that goes from process to process.

    Args:
        suite: The suite as JSON.
        device: Such as `cpu` or `cuda:0`.
        cache: The folder of the store.
        datasets: The identities of the suite's datasets.
        budget: What judges behind a server may spend, over all processes.

    """

    suite: str
    batch_size: BatchSize
    device: str
    cache: str
    datasets: tuple[str, ...] = ()
    budget: Budget | None = None

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
    """The parsed suite, the store and the loaded models of a run."""

    settings: Settings
    suite: Suite
    store: Store
    _models: dict[tuple[str, str], Model] = field(default_factory=dict)
    _last: list[tuple[str, str, str]] = field(default_factory=list)  # task, variant and pair that the models are for

    def model(self, family: str, version: str) -> Model:
        """Return the model of a family in one version, loaded once."""
        spec = self.suite.spec(family, version)
        own = version in self.suite.models[family] or spec.twin_of is not None
        key = family, version if own else "any"
        if key not in self._models:
            self._models[key] = self._load(family, version)
            if self.settings.batch_size == "auto":
                limit_by_free_memory(self._models[key])
        return self._models[key]

    def experiment(self, cell: Cell, position: Position = None) -> Experiment:
        """Return the experiment of a cell, at another position than the task's own where one is given."""
        bench = Bench(self.store, self.settings.n_rows, self.suite.max_new_tokens, report, self.settings.budget)
        report("models")
        self._make_room(cell)
        order = replace(cell.order, position=position)
        return task_named(cell.task).experiment(order, dataset_of(self.suite, cell.task), self.model, bench)

    def _make_room(self, cell: Cell) -> None:
        """Let go of the models of other experiments where they are large: memory may not hold all of a suite."""
        this = (cell.task, cell.variant, cell.pair)
        if self._last != [this] and sum(map(_size, self._models.values())) > KEPT:
            self._models.clear()
        self._last[:] = [this]

    def _load(self, family: str, version: str) -> Model:
        spec = self.suite.spec(family, version)
        if spec.twin_of is not None:
            return twin_of(self.model(spec.twin_of, version), spec.seed)
        assert spec.model is not None
        model = load(
            spec.model,
            revision=spec.revision,
            dtype=self.suite.dtype,
            device=self.settings.device,
            blocks=spec.blocks,
            writers=spec.writers,
            chat=spec.chat,
        )
        check_once(self.store, model)
        return model


def _size(model: Model) -> int:
    return sum(each.numel() * each.element_size() for each in model.module.parameters())


@lru_cache(maxsize=1)  # of the run that is going on: its models fill the memory
def context_of(settings: Settings) -> RunContext:
    """Return the context of a run in this process."""
    return RunContext(settings, Suite.model_validate_json(settings.suite), Store(Path(settings.cache)))
