"""What a run of a suite will take in memory and on disk, from the files of its models and from its datasets alone.

No model is loaded, so that time is not forecast: `graftbench transfer` measures two models, and forecasts it for them.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import mean
from typing import NamedTuple

from safetensors import safe_open

from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.runs.model_files import config_of, folder_here
from graftbench.benchmark.runs.plan import Cell, dataset_of, task_named
from graftbench.benchmark.runs.suite import ModelSpec, Suite

_GIB = 2**30
_FIT = 1000  # conversations, where a suite does not say
_LOOKED_AT = 200  # of them
_CHARACTERS = 4  # to a token of English, about
_FLOAT32 = 4  # bytes
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


class _Texts(NamedTuple):
    """What a mapper is fitted on, and about how many tokens that are."""

    dataset: str
    behaviour: str
    track: str
    tokens: int


def outlook(suite: Suite, cells: Sequence[Cell]) -> Outlook:
    """Return what a run of some cells takes."""
    weights = {cell.reference_name: _weights(suite, cell) for cell in cells}
    largest = max(weights, key=weights.__getitem__, default="")
    fits = {(cell.task, cell.variant, cell.pair, cell.track): cell for cell in cells}
    models = {spec.model: spec for cell in cells for spec in _models(suite, cell)}
    return Outlook(
        len(cells),
        len(weights),
        weights.get(largest, 0),
        largest if weights.get(largest) else "",
        _bytes_on_disk(suite, fits.values()),
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


def _bytes_on_disk(suite: Suite, cells: Iterable[Cell]) -> int:
    """Return the bytes of the activations that mappers are fitted on: those of each model, kept once, and the pairs."""
    streams: dict[object, int] = {}
    pairs = 0
    for cell in cells:
        texts = _texts(suite, cell)
        for end, site in zip(_ends(suite, cell), cell.sites or (None, None), strict=True):
            size = _FLOAT32 * texts.tokens * int(config_of(str(end.model), end.revision).get("hidden_size", 0))
            streams[end.model, end.revision, end.chat, site, texts] = size
            pairs += size
    return pairs + sum(streams.values())


def _texts(suite: Suite, cell: Cell) -> _Texts:
    general = cell.track == "general" and suite.general is not None
    dataset = dataset_named(suite.general or "") if general else dataset_of(suite, cell.task)
    behaviour = "" if general else task_named(cell.task).variants(dataset)[cell.variant].name
    texts = dataset.conversations(behaviour, "fit", cell.track, int(dict(cell.settings).get("fit", _FIT)))
    lengths = [len(reply) + len(prompt.transcript if prompt else "") for prompt, reply in texts[:_LOOKED_AT]]
    tokens = len(texts) * mean(lengths or [0]) / _CHARACTERS
    return _Texts(dataset.name, behaviour, cell.track, round(tokens))


def _ends(suite: Suite, cell: Cell) -> tuple[ModelSpec, ModelSpec]:
    """Return a model of the source and one of the target."""
    models = _models(suite, cell)
    return models[0], models[-1]


def _n_parameters(spec: ModelSpec) -> int:
    """Return the number of parameters in the files of a model; 0 where they are not here, or do not say."""
    return _counted(str(spec.model), spec.revision)


@cache
def _counted(name: str, revision: str | None) -> int:
    folder = folder_here(name, revision)
    total = 0
    for file in folder.glob("*.safetensors") if folder else ():
        with safe_open(file, framework="numpy") as tensors:
            total += sum(math.prod(tensors.get_slice(key).get_shape()) for key in list(tensors.keys()))
    return total
