"""From a suite and a mapper to the cells that will run."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import escape_control
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.names import cell_name, split_pair
from graftbench.benchmark.core.plugins import nearest, plugin
from graftbench.benchmark.data.examples import Track
from graftbench.benchmark.experiments.protocol import Order, Task
from graftbench.benchmark.models.shipped import shipped_folder
from graftbench.benchmark.runs.suite import CellSpec, Suite


@dataclass(frozen=True)
class Cell:
    """One unit of work: a task's variant on a pair, a track, and a mapper's seed."""

    task: str
    variant: str
    pair: str
    check: bool
    track: Track
    seed: int
    sites: tuple[int, int] | None
    settings: tuple[tuple[str, Any], ...]
    judges: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """Name of the cell in tables and messages."""
        return cell_name(self.task, self.variant, self.pair, self.track, self.seed or None)

    @property
    def reference_name(self) -> str:
        """Name of its reference in tables and messages."""
        return f"{self.task} {self.variant} {self.pair}"

    @property
    def folder(self) -> str:
        """Name of the files and folders that hold its results."""
        return self.name.replace("->", "-to-").replace(" ", "_")

    @property
    def reference(self) -> str:
        """Key of the conditions that it shares with other cells: all of it but track and seed."""
        settings, judges = ([list(pair) for pair in pairs] for pairs in (self.settings, self.judges))
        return digest(self.task, self.variant, self.pair, self.sites, settings, judges)[:16]

    @property
    def order(self) -> Order:
        """The order that the task is given."""
        return Order(self.variant, *split_pair(self.pair), self.sites, dict(self.settings), dict(self.judges))


@cache
def task_named(name: str) -> Task:
    """Return the installed task `name`; UserError where there is none."""
    task: Task = plugin("tasks", name)()
    return task


def planned(
    suite: Suite, *, deterministic: bool, seed: int = 0, tasks: Sequence[str] = (), pairs: Sequence[str] = ()
) -> list[Cell]:
    """Return the cells of a suite for a mapper, in the order in which they run.

    UserError where a task, a variant, a pair, a model or a side effect is not known, or nothing is left to do.
    """
    if suite.side_effects is not None:
        from graftbench.benchmark.capability.measures import check_spec

        check_spec(suite.side_effects)
    _known("task", tasks, list(suite.tasks))
    _known("pair", pairs, sorted({spec.pair for task in suite.tasks.values() for spec in task.cells}))
    for name in suite.tasks:
        if not tasks or name in tasks:
            _check(suite, name)
    cells = listed(suite, deterministic=deterministic, seed=seed, tasks=tasks, pairs=pairs)
    if not cells:
        raise UserError("No cell of the suite is left: the tasks and pairs that were named have none in common.")
    return cells


def listed(
    suite: Suite, *, deterministic: bool, seed: int = 0, tasks: Sequence[str] = (), pairs: Sequence[str] = ()
) -> list[Cell]:
    """Return the cells that a suite lists, without looking at any task, judge or model."""
    seeds = [seed] if deterministic else [seed + i for i in range(suite.seeds)]
    return [
        Cell(
            name,
            spec.variant,
            spec.pair,
            spec.check,
            track,
            one,
            spec.sites,
            tuple(sorted(task.settings.items())),
            tuple(sorted(task.judges.items())),
        )
        for name, task in suite.tasks.items()
        if not tasks or name in tasks
        for spec in task.cells
        if not pairs or spec.pair in pairs
        for track in spec.tracks
        for one in seeds
    ]


def _known(kind: str, wanted: Sequence[str], known: list[str]) -> None:
    for name in wanted:
        if name not in known:
            raise UserError(f"The suite has no {kind} {name!r}.{nearest(name, known)}")


def _check(suite: Suite, name: str) -> None:
    task = task_named(name)
    task.check(suite.tasks[name].settings)
    for measure, identity in task.judges(suite.tasks[name].judges).items():
        if escape_control(identity) != identity:  # entries hold it as one line
            raise UserError(f"The judge of {measure} in {name} is no name in one line: {identity[:80]!r}.")
    seen = [(spec.variant, spec.pair) for spec in suite.tasks[name].cells]
    for variant, pair in seen:
        if seen.count((variant, pair)) > 1:
            raise UserError(f"The suite has two entries for {variant} on {pair}; sites and tracks belong into one.")
    for spec in suite.tasks[name].cells:
        _known_variant(task, spec.variant)
        _sites_given(task, spec)
        for family in split_pair(spec.pair):
            for version in task.variants[spec.variant]:
                _model_known(suite, family, version)


def _known_variant(task: Task, variant: str) -> None:
    if variant not in task.variants:
        raise UserError(f"The task {task.name} has no variant {variant!r}.{nearest(variant, sorted(task.variants))}")


def _sites_given(task: Task, spec: CellSpec) -> None:
    chosen = spec.variant in task.chooses_sites
    if chosen and spec.sites is not None:
        raise UserError(f"The task {task.name} chooses its sites itself: leave `sites` out at {spec.variant}.")
    if not chosen and spec.sites is None:
        raise UserError(f"The task {task.name} needs `sites: [SOURCE, TARGET]` at {spec.variant} on {spec.pair}.")


def _hub_id(named: str, where: str) -> None:
    """Raise UserError where a name cannot be that of a model on the Hub; the Hub itself is not asked."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # it is public, and not in __all__

    try:
        validate_repo_id(named)
    except HFValidationError as error:
        raise UserError(f"{where}: there is no folder {named}, and it is no Hub id (owner/name).") from error


def _model_known(suite: Suite, family: str, version: str) -> None:
    """Raise UserError where a model is neither of the zoo, nor a local folder, nor a Hub id."""
    named = suite.spec(family, version).model
    if named is None or Path(named).is_dir():
        return
    if "/" in named:
        _hub_id(named, f"{family} {version} of the suite")
        return
    try:
        shipped_folder(named)
    except UserError as error:
        raise UserError(f"{family} {version} of the suite: {error}") from error
