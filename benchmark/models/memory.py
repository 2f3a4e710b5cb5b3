"""Rows that memory does not hold together are read in parts, and the work that failed is done again.

Which rows share an entry of the cache is decided before, so that no key depends on the memory of a machine.
"""

import gc
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch

from graftbench.benchmark.models.devices import free_memory
from graftbench.benchmark.models.load import Model

_log = logging.getLogger("graftbench.memory")
_held: "WeakKeyDictionary[Model, int]" = (
    WeakKeyDictionary()
)  # tokens at a time, padding counted, where there is a limit
_said: "WeakKeyDictionary[Model, bool]" = WeakKeyDictionary()  # models whose user knows
_MESSAGES = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")  # of torch
_SHARE = 0.25  # of the free memory: there are other workers, and what is not counted
_WORK = 24  # vectors [d] that a block makes for a token, roughly: attention, a wide layer, copies
_TOKENS = 32  # of a row, at the least: one of them has logits
T = TypeVar("T")


def in_parts(model: Model, lengths: Sequence[int], work: Callable[[Sequence[int]], Sequence[T]]) -> list[T]:
    """Return what `work` makes of rows with so many tokens each, in order.

    `work` is given the numbers of the rows that it is to read together: all of them, or as many as memory is known to
    hold. Where it runs out of memory, it is called again with half of them. The error itself where one row is too many.
    """
    made: list[T] = []
    start = 0
    while start < len(lengths):
        rows = _fitting(model, lengths, start)
        done = _tried(work, rows)
        if done is None:
            _halve(model, len(rows), max(lengths[i] for i in rows))
        else:
            made += done
            start = rows.stop
    return made


def _fitting(model: Model, lengths: Sequence[int], start: int) -> range:
    """Return the rows from `start` on that memory is known to hold together, one at the least."""
    stop, longest = start, 0
    for stop in range(start, len(lengths)):
        longest = max(longest, lengths[stop])
        if stop > start and (stop + 1 - start) * longest > _held.get(model, sys.maxsize):
            return range(start, stop)
    return range(start, stop + 1)


def _tried(work: Callable[[Sequence[int]], Sequence[T]], rows: range) -> Sequence[T] | None:
    """Return what `work` makes of some rows; None where memory does not hold them, and they are more than one."""
    try:
        return work(rows)
    except (MemoryError, RuntimeError) as error:  # torch's own error for a GPU is a RuntimeError
        if len(rows) == 1 or not is_out_of_memory(error):
            raise
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Return True for an error of too little memory, on a CPU or a GPU."""
    named = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return named or any(words in str(error) for words in _MESSAGES)


def _halve(model: Model, n: int, longest: int) -> None:
    """Hold a model to half of the tokens that were too many, and say so the first time."""
    _held[model] = n * longest // 2
    gc.collect()  # what the failed work held
    torch.cuda.empty_cache()
    words = (
        f"{model.name}: memory does not hold {n} rows of {longest} tokens at a time; it reads half as many from now on"
    )
    _log.warning(words)
    if not _said.setdefault(model, False):
        _said[model] = True
        sys.stderr.write(f"graftbench: {words}, and fewer where that is too many.\n")


def limit_by_free_memory(model: Model) -> None:
    """Hold a model to as many tokens at a time as a share of the free memory holds, by a rough count."""
    _held[model] = int(_SHARE * free_memory(model.device) / _bytes_per_token(model))


def _bytes_per_token(model: Model) -> float:
    """Return what a token takes, roughly: keys and values of all blocks, the work of one, and its row's logits."""
    n_bytes = model.module.dtype.itemsize
    logits = int(model.module.config.get_text_config().vocab_size) * (n_bytes + 4)  # and a copy in float32
    return n_bytes * model.d * (2 * len(model.blocks) + _WORK) + logits / _TOKENS
