"""What a run of a suite will take in memory and on disk, from the files of its models and from its datasets alone.

No model is loaded, so that time is not forecast: `graftbench transfer` measures two models, and forecasts it for them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from graftbench.benchmark.core.byte_sizes import GIB, size_in_words
from graftbench.benchmark.core.counts import counted
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.models.sizes import n_parameters
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.disk import activations_on_disk, size_here
from graftbench.benchmark.runs.executors.protocol import Needs
from graftbench.benchmark.runs.model_files import base_here
from graftbench.benchmark.runs.plan import Cell, dataset_of, task_named
from graftbench.benchmark.runs.suite import ModelSpec, Suite

PROCESS = round(1.8 * GIB)  # bytes that a process holds beside its models: Python, torch, activations and logits
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Outlook:
    """Bytes that a run takes: weights that one cell needs in memory at a time, and activations on disk.

    `largest` is the experiment of that cell; further models stay in memory as long as there is room.

    `unknown` are the models that are not here, or whose files do not say how large they are.
    """

    n_cells: int
    n_experiments: int
    memory: int
    largest: str
    disk: int
    unknown: tuple[str, ...]

    def sentences(self) -> Iterator[str]:
        """Yield what there is to say of it."""
        yield f"{counted(self.n_cells, 'cell')} of {counted(self.n_experiments, 'experiment')}. Time is not forecast."
        if self.largest:
            yield f"Memory: {size_in_words(self.memory)} of weights at a time, for {self.largest}."
        disk = size_in_words(self.disk)
        yield f"Disk: about {disk} of activations that mappers are fitted on, in GRAFTBENCH_CACHE."
        if self.unknown:
            yield f"Models whose files are not here yet are in neither figure: {', '.join(self.unknown)}."


def outlook(suite: Suite, cells: Sequence[Cell]) -> Outlook:
    """Return what a run of some cells takes."""
    weights = {cell.reference_name: _weights(suite, cell) for cell in cells}
    largest = max(weights, key=weights.__getitem__, default="")
    models = {spec.model: spec for cell in cells for spec, _ in _models(suite, cell)}
    return Outlook(
        len(cells),
        len(weights),
        weights.get(largest, 0),
        largest if weights.get(largest) else "",
        round(activations_on_disk(suite, cells, size_here).n_bytes),
        tuple(str(name) for name, spec in models.items() if not _n_parameters(spec)),
    )


def needs_of(suite: Suite, cells: Sequence[Cell], settings: Settings) -> dict[str, Needs]:
    """Return by reference what each of its jobs takes up; a GPU is not shared."""
    firsts = {cell.reference: cell for cell in cells}
    return {
        reference: Needs(settings.threads, 1.0 if settings.on_gpu else 0.0, PROCESS + _weights(suite, cell))
        for reference, cell in firsts.items()
    }


def _models(suite: Suite, cell: Cell) -> list[tuple[ModelSpec, int]]:
    """Return the models of a cell with how often each is there: a twin is two of the model that it is made of."""
    both = [(suite.spec(family, v), v) for family in split_pair(cell.pair) for v in _versions(suite, cell)]
    return [(spec, 1) if spec.twin_of is None else (suite.spec(spec.twin_of, v), 2) for spec, v in both]


def _versions(suite: Suite, cell: Cell) -> tuple[str, ...]:
    return task_named(cell.task).variants(dataset_of(suite, cell.task))[cell.variant].behaviour.versions


def _weights(suite: Suite, cell: Cell) -> int:
    """Return the bytes of the weights that a cell has to have in memory at a time, in the suite's dtype.

    They are those of its largest model, or of the largest two where one follows the other.
    """
    once = {(spec.model, spec.revision, n): n * _n_parameters(spec) for spec, n in _models(suite, cell)}
    sizes = sorted(once.values(), reverse=True)
    if len(_versions(suite, cell)) > 1:
        together = sum(sizes[:2]) + sizes[0]  # weights of one version are patched into a copy of the other
    else:
        together = sum(sizes[: 2 if _replaces(cell) else 1])
    return together * _BYTES[suite.dtype]


def _replaces(cell: Cell) -> bool:
    """Return whether a cell has full replacement, for fidelity or among its side effects."""
    return cell.has_side_effects or bool(dict(cell.settings).get("compared"))


def _n_parameters(spec: ModelSpec) -> int:
    """Return the number of parameters in the files of a model; 0 where they are not here, or do not say."""
    return _counted(str(spec.model), spec.revision)


@cache
def _counted(name: str, revision: str | None) -> int:
    folder = base_here(name, revision)
    return n_parameters(folder) if folder else 0
