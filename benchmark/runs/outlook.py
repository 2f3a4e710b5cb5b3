"""What a run of a suite will take in memory and on disk, from the files of its models and from its datasets alone.

No model is loaded, so that time is not forecast: `graftbench transfer` measures two models, and forecasts it for them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from safetensors import safe_open

from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.runs.disk import activations_on_disk, size_here
from graftbench.benchmark.runs.model_files import base_here
from graftbench.benchmark.runs.plan import Cell, dataset_of, task_named
from graftbench.benchmark.runs.suite import ModelSpec, Suite

_GIB = 2**30
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Outlook:
    """Bytes that a run takes: weights of the experiment with the largest ones, and activations on disk.

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
        yield f"{self.n_cells} cells of {self.n_experiments} experiments. Time is not forecast."
        if self.largest:
            yield f"Memory: {self.memory / _GIB:.1f} GiB of weights at a time, for {self.largest}."
        yield f"Disk: about {self.disk / _GIB:.1f} GiB of activations that mappers are fitted on, in GRAFTBENCH_CACHE."
        if self.unknown:
            yield f"Both without models whose files are not here yet: {', '.join(self.unknown)}."


def outlook(suite: Suite, cells: Sequence[Cell]) -> Outlook:
    """Return what a run of some cells takes."""
    weights = {cell.reference_name: _weights(suite, cell) for cell in cells}
    largest = max(weights, key=weights.__getitem__, default="")
    models = {spec.model: spec for cell in cells for spec in _models(suite, cell)}
    return Outlook(
        len(cells),
        len(weights),
        weights.get(largest, 0),
        largest if weights.get(largest) else "",
        round(activations_on_disk(suite, cells, size_here).n_bytes),
        tuple(str(name) for name, spec in models.items() if not _n_parameters(spec)),
    )


def _models(suite: Suite, cell: Cell) -> list[ModelSpec]:
    """Return the models of a cell, a twin as the model that it is made of."""
    versions = task_named(cell.task).variants(dataset_of(suite, cell.task))[cell.variant].behaviour.versions
    both = [(suite.spec(family, version), version) for family in split_pair(cell.pair) for version in versions]
    return [spec if spec.twin_of is None else suite.spec(spec.twin_of, version) for spec, version in both]


def _weights(suite: Suite, cell: Cell) -> int:
    """Return the bytes of the weights of a cell's models in the suite's dtype, each model once."""
    once = {(spec.model, spec.revision): spec for spec in _models(suite, cell)}
    return sum(_n_parameters(spec) for spec in once.values()) * _BYTES[suite.dtype]


def _n_parameters(spec: ModelSpec) -> int:
    """Return the number of parameters in the files of a model; 0 where they are not here, or do not say."""
    return _counted(str(spec.model), spec.revision)


@cache
def _counted(name: str, revision: str | None) -> int:
    folder = base_here(name, revision)
    total = 0
    for file in folder.glob("*.safetensors") if folder else ():
        with safe_open(file, framework="numpy") as tensors:
            total += sum(math.prod(tensors.get_slice(key).get_shape()) for key in list(tensors.keys()))
    return total
