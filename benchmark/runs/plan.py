"""From a suite and a mapper to the cells that will run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import escape_control
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.names import cell_name, split_pair
from graftbench.benchmark.core.plugins import nearest, plugin
from graftbench.benchmark.data.checking import check_dataset
from graftbench.benchmark.data.dataset import Asked, Dataset
from graftbench.benchmark.data.examples import Prompt, Track
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.data.tracks import texts_of
from graftbench.benchmark.models.packaged import is_packaged, packaged_file
from graftbench.benchmark.models.shipped import shipped_base
from graftbench.benchmark.runs.suite import CellSpec, Suite

if TYPE_CHECKING:
    from graftbench.benchmark.capability.measures import SideEffectsSpec
    from graftbench.benchmark.experiments.protocol import Order, Task, TaskVariant

NONE_LEFT = "No cell of the suite is left: what was named has none in common. `score --dry-run` lists all cells."
_LOOKED_AT = 100  # prompts of a split; `graftbench dataset check` looks at all


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
    side_effects: bool = True  # whether the suite asks for them here

    @property
    def has_side_effects(self) -> bool:
        """Whether its side effects are measured, where it can be steered."""
        return self.side_effects and not self.check

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
    def order(self) -> "Order":
        """The order that the task is given."""
        from graftbench.benchmark.experiments.protocol import Order

        return Order(self.variant, *split_pair(self.pair), self.sites, dict(self.settings), dict(self.judges))


def dataset_of(suite: Suite, task: str) -> Dataset:
    """Return the dataset of a task; UserError where the suite names none that is known."""
    return dataset_named(suite.tasks[task].dataset)


def dataset_identities(suite: Suite, tasks: Iterable[str]) -> dict[str, str]:
    """Return the identity of the dataset of each task, and of that of the track `general` where the suite names one."""
    identities = {task: dataset_of(suite, task).identity for task in tasks}
    return identities if suite.general is None else identities | {"general": dataset_named(suite.general).identity}


def judges_of_task(suite: Suite, task: str) -> dict[str, str]:
    """Return the identity of each judge of a task by measure; UserError where one makes no sense, or is not named."""
    spec = suite.tasks[task]
    return task_named(task).judges(spec.judges, dataset_of(suite, task), {cell.variant for cell in spec.cells})


@cache
def task_named(name: str) -> "Task":
    """Return the installed task `name`; UserError where there is none."""
    task: Task = plugin("tasks", name)()
    return task


def planned(
    suite: Suite,
    *,
    deterministic: bool,
    seed: int = 0,
    tasks: Sequence[str] = (),
    pairs: Sequence[str] = (),
    variants: Sequence[str] = (),
    tracks: Sequence[str] = (),
) -> list[Cell]:
    """Return the cells of a suite for a mapper, in the order in which they run; of what is named, those alone.

    UserError where a task, a variant, a pair, a model or a side effect is not known, or nothing is left to do.
    """
    cells = listed(
        suite, deterministic=deterministic, seed=seed, tasks=tasks, pairs=pairs, variants=variants, tracks=tracks
    )
    for check in checks(suite, tasks):
        check()
    return cells


def checks(suite: Suite, tasks: Sequence[str] = ()) -> Iterator[Callable[[], None]]:
    """Yield what raises a UserError where a suite cannot run as it is written, or here: a check for each task."""
    if suite.side_effects is not None:
        yield partial(_check_side_effects, suite.side_effects)
    for name in suite.tasks:
        if not tasks or name in tasks:
            yield partial(_check, suite, name)


def _check_side_effects(spec: "SideEffectsSpec") -> None:
    from graftbench.benchmark.capability.measures import check_spec

    check_spec(spec)


def listed(
    suite: Suite,
    *,
    deterministic: bool,
    seed: int = 0,
    tasks: Sequence[str] = (),
    pairs: Sequence[str] = (),
    variants: Sequence[str] = (),
    tracks: Sequence[str] = (),
) -> list[Cell]:
    """Return the cells that a suite lists, without looking at any task, judge or model.

    UserError where a task, a pair, a variant or a fit track is named that the suite has not, or nothing is left.
    """
    specs = [spec for task in suite.tasks.values() for spec in task.cells]
    _known("task", tasks, list(suite.tasks))
    _known("pair", pairs, sorted({spec.pair for spec in specs}))
    _known("variant", variants, sorted({spec.variant for spec in specs}))
    _known("fit track", tracks, [track for track in get_args(Track) if any(track in spec.tracks for spec in specs)])
    seeds = [seed] if deterministic else [seed + i for i in range(suite.seeds)]
    cells = [
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
            spec.side_effects and suite.side_effects is not None,
        )
        for name, task in suite.tasks.items()
        if not tasks or name in tasks
        for spec in task.cells
        if (not pairs or spec.pair in pairs) and (not variants or spec.variant in variants)
        for track in spec.tracks
        if not tracks or track in tracks
        for one in seeds
    ]
    if not cells:
        raise UserError(NONE_LEFT)
    return cells


def _known(kind: str, wanted: Sequence[str], known: list[str]) -> None:
    for name in wanted:
        if name not in known:
            raise UserError(f"The suite has no {kind} {name!r}.{nearest(name, known)}")


def _check(suite: Suite, name: str) -> None:
    task, dataset = task_named(name), dataset_of(suite, name)
    task.check(suite.tasks[name].settings)
    _no_two_entries(suite.tasks[name].cells)
    if not isinstance(suite.tasks[name].dataset, str) and "jsonl" in suite.tasks[name].dataset:
        _keeps_promises(dataset)
    variants = task.variants(dataset)
    if not variants:
        kinds = ", ".join(sorted({behaviour.kind for behaviour in dataset.behaviours.values()})) or "no behaviour"
        raise UserError(f"The dataset {dataset.name} has nothing for the task {name}: it has {kinds}.")
    for measure, identity in judges_of_task(suite, name).items():
        if escape_control(identity) != identity:  # entries hold it as one line
            raise UserError(f"The judge of {measure} in {name} is no name in one line: {identity[:80]!r}.")
    for spec in suite.tasks[name].cells:
        if spec.variant not in variants:
            raise UserError(
                f"The task {name} has no variant {spec.variant!r} on the dataset {dataset.name}."
                f"{nearest(spec.variant, sorted(variants))}"
            )
        _sites_given(task, spec, dataset)
        _filled(suite, spec, dataset, variants[spec.variant])
        for family in split_pair(spec.pair):
            for version in variants[spec.variant].behaviour.versions:
                _model_known(suite, family, version)


def _keeps_promises(dataset: Dataset) -> None:
    """Raise a UserError where a user's own lines break a promise that would make results wrong."""
    for broken in check_dataset(dataset).broken:
        raise UserError(
            f"The dataset {dataset.name}: {broken.rstrip('.')}. `graftbench dataset check` names all such lines."
        )


def _no_two_entries(cells: Sequence[CellSpec]) -> None:
    seen = [(spec.variant, spec.pair) for spec in cells]
    for variant, pair in seen:
        if seen.count((variant, pair)) > 1:
            raise UserError(f"The suite has two entries for {variant} on {pair}; sites and tracks belong into one.")


def _sites_given(task: "Task", spec: CellSpec, dataset: Dataset) -> None:
    chosen = task.chooses_sites(spec.variant, dataset)
    if chosen and spec.sites is not None:
        raise UserError(f"The task {task.name} chooses its sites itself: leave `sites` out at {spec.variant}.")
    if not chosen and spec.sites is None:
        raise UserError(f"The task {task.name} needs `sites: [SOURCE, TARGET]` at {spec.variant} on {spec.pair}.")


def _filled(suite: Suite, spec: CellSpec, dataset: Dataset, variant: "TaskVariant") -> None:
    """Raise a UserError where a dataset has nothing that a cell needs: examples to ask, a contrast, texts to fit on."""
    name, kind = variant.name, variant.behaviour.kind
    for split in get_args(Asked):
        asked = dataset.examples(name, split, _LOOKED_AT)
        if not asked:
            raise UserError(f"The dataset {dataset.name} has no example of {name} in the split {split}.")
        if kind == "steering" and variant.needs_judge and any(each.clean is None for each in asked):
            raise UserError(
                f"The dataset {dataset.name} has examples of {name} without `clean`, which asks for it in words: "
                f"{spec.variant} needs it."
            )
        if kind == "refusal" and not dataset.plain_examples(name, split, 1):
            raise UserError(
                f"The dataset {dataset.name} has no plain example (`shows: false`) beside {name} in the split {split}."
            )
        _triggers_marked(dataset, variant, [each.prompt for each in asked])
    if kind != "switch":
        _contrasted(dataset, variant)
    for track in spec.tracks:
        own = track != "general" or suite.general is None
        texts = dataset if own else dataset_named(suite.general or "")
        if not texts.conversations(name if own else "", "fit", texts_of(track), 1):
            instead = " Name one for it, such as `general: alpaca`, in the suite." if track == "general" else ""
            raise UserError(f"The dataset {texts.name} has no conversation to fit on for the track {track}.{instead}")


def _contrasted(dataset: Dataset, variant: "TaskVariant") -> None:
    """Raise a UserError where a dataset has no contrast of a behaviour, or one that its kind cannot use."""
    name, contrast = variant.name, dataset.contrast(variant.name, _LOOKED_AT)
    if not contrast.desired:
        raise UserError(
            f"The dataset {dataset.name} has no contrast of {name}: write pairs, or in the split vector examples with "
            "`clean`."
        )
    if variant.behaviour.kind != "refusal" and not contrast.paired:
        raise UserError(
            f"The dataset {dataset.name} has examples of {name} without `clean`, which only a refusal can do without."
        )
    _triggers_marked(dataset, variant, [turn.prompt for turn in (*contrast.desired, *contrast.undesired)])


def _triggers_marked(dataset: Dataset, variant: "TaskVariant", prompts: Sequence[Prompt]) -> None:
    """Raise a UserError where a vector belongs at a trigger and a prompt has none."""
    for prompt in prompts:
        if variant.behaviour.positions == "trigger" and prompt.trigger is None:
            raise UserError(
                f"The dataset {dataset.name} steers {variant.name} at the trigger, and marks none in "
                f"{prompt.text[:60]!r}: mark it (`clean` may be an object with a `trigger`), or write "
                "`positions: last`."
            )


def _check_hub_id(named: str) -> None:
    """Raise UserError where a name cannot be that of a model on the Hub; the Hub itself is not asked."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # it is public, and not in __all__

    try:
        validate_repo_id(named)
    except HFValidationError as error:
        raise UserError(f"There is no folder {named}, and it is no Hub id (owner/name).") from error


def _model_known(suite: Suite, family: str, version: str) -> None:
    """Raise UserError where a model is neither of the zoo or a package, nor a local folder, nor a Hub id."""
    named = suite.spec(family, version).model
    try:
        if named is not None:
            check_model(named)
    except UserError as error:
        raise UserError(f"{family} {version} of the suite: {error}") from error


def check_model(named: str) -> None:
    """Raise UserError where a name is neither that of a model of the zoo or a package, nor a folder, nor a Hub id."""
    if Path(named).is_dir():
        return
    if "/" in named:
        _check_hub_id(named)
        return
    base = named if is_packaged(named) else shipped_base(named)
    if base is not None:
        packaged_file(base)
