"""Loaded models, as many as a grant of memory holds, and handles of models that are loaded when they are needed."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

import torch
from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.models.devices import free_memory
from graftbench.benchmark.models.load import DTYPES, Model, ModelFiles, read
from graftbench.benchmark.models.sizes import context_of, n_blocks_of, read_config, width_of
from graftbench.benchmark.models.twin import identity_of_twin, name_of_twin, twin_of

SHARE = 0.5  # of the memory that is free before anything is loaded: rows, activations and models in use take the rest
Prepare = Callable[[Model], None]


def grant_of(device: torch.device, n_workers: int) -> int:
    """Return the bytes of models that each of some workers may keep on a device."""
    return int(SHARE * free_memory(device) / n_workers)


@dataclass(frozen=True, eq=False)
class PooledModel:
    """A handle of a model that a pool loads, and may evict. `n_bytes` and `load` tell its size, and load it."""

    name: str
    identity: str
    tokenizer: PreTrainedTokenizerFast = field(repr=False)
    device: torch.device
    dtype: torch.dtype
    d: int
    n_blocks: int
    context: float
    pool: "ModelPool" = field(repr=False)
    n_bytes: Callable[[], int] = field(repr=False)
    load: Callable[[], Model] = field(repr=False)

    def loaded(self) -> AbstractContextManager[Model]:
        """Hold the model in memory during a `with` block, which may stand in another one on the same model."""
        return self.pool.holding(self)


class ModelPool:
    """Loaded models of at most `grant` bytes together, those in use aside, which stay whatever the grant is.

    Where a model does not fit, those that are not in use leave before it is loaded, the least recently used one first.
    """

    def __init__(self, grant: int) -> None:
        self.grant = grant
        self._models: dict[PooledModel, Model] = {}  # the least recently used first
        self._users: Counter[PooledModel] = Counter()  # open `with` blocks

    @contextmanager
    def holding(self, handle: PooledModel) -> Iterator[Model]:
        """Load a model unless it is there, and keep it during a `with` block."""
        self._users[handle] += 1
        try:
            if handle not in self._models:
                self._load(handle)
            yield self._models[handle]
        finally:
            self._users[handle] -= 1
            if handle in self._models:
                self._models[handle] = self._models.pop(handle)  # used last

    def _load(self, handle: PooledModel) -> None:
        self._make_room(handle.n_bytes())
        self._models[handle] = handle.load()
        self._make_room(0)  # a twin's original was loaded with it

    def _make_room(self, n_bytes: int) -> None:
        """Evict models until `n_bytes` more fit into the grant, as far as models are not in use."""
        idle = [each for each in self._models if not self._users[each]]
        while idle and sum(model.n_bytes for model in self._models.values()) + n_bytes > self.grant:
            del self._models[idle.pop(0)]
            gc.collect()
            torch.cuda.empty_cache()  # without a GPU it does nothing


def pooled_model(files: ModelFiles, pool: ModelPool, prepare: Prepare = lambda _: None) -> PooledModel:
    """Return a handle of the model in some files; `prepare` is called with it whenever it was loaded."""
    config = read_config(files.base)
    return PooledModel(
        name=files.name,
        identity=files.identity,
        tokenizer=files.tokenizer,
        device=files.device,
        dtype=DTYPES[files.dtype],
        d=width_of(config),
        n_blocks=n_blocks_of(config, files.blocks),
        context=context_of(config),
        pool=pool,
        n_bytes=lambda: files.n_bytes,
        load=lambda: _prepared(read(files), prepare),
    )


def pooled_twin(original: PooledModel, seed: int, prepare: Prepare) -> PooledModel:
    """Return a handle of a model's twin, which is made of the model whenever it is loaded."""

    def load() -> Model:
        with original.loaded() as model:
            return _prepared(twin_of(model, seed), prepare)

    name, identity = name_of_twin(original.name), identity_of_twin(original.identity, seed)
    return replace(original, name=name, identity=identity, load=load)


def _prepared(model: Model, prepare: Prepare) -> Model:
    prepare(model)
    return model
