"""One cell in the process that asks for it, as a worker process does it; what comes out is written as a part."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.loading import MapperSpec
from graftbench.benchmark.results.schema import CellResult
from graftbench.benchmark.runs.cell import CellOutcome, prepare, score
from graftbench.benchmark.runs.entry import cell_result
from graftbench.benchmark.runs.executors.protocol import Failure, failure_of
from graftbench.benchmark.runs.executors.worker import keep_freed_memory
from graftbench.benchmark.runs.parts import Parts
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.request import Settings

T = TypeVar("T")


def score_here(spec: MapperSpec, sha256: str, cell: Cell, settings: Settings, parts: Parts) -> CellResult:
    """Score a cell and write its part; a cell that fails is recorded."""
    with _as_in_a_worker(settings):
        outcome = _outcome(spec, sha256, cell, settings, parts)
        result = _tried(lambda: cell_result(cell, outcome))
    if isinstance(result, Failure):  # it came out, and is nothing that an entry can hold
        outcome, result = result, cell_result(cell, result)
    parts.add(cell, result, outcome)
    return result


def _outcome(spec: MapperSpec, sha256: str, cell: Cell, settings: Settings, parts: Parts) -> CellOutcome | Failure:
    ground = parts.ground(cell) or parts.add_ground(cell, _tried(lambda: prepare(cell, settings, _silent)))
    if ground.failure is not None:
        return ground.failure
    return _tried(lambda: score(cell, settings, spec, sha256, str(parts.folder), _silent))


def _tried(work: Callable[[], T]) -> T | Failure:
    try:
        return work()
    except UserError as error:
        return Failure("failed", str(error), "")
    except Exception as error:  # noqa: BLE001 (whatever the work raised is its result)
        return failure_of(error)


@contextmanager
def _as_in_a_worker(settings: Settings) -> Iterator[None]:
    """With the threads, warnings and memory of a worker process; threads and warnings are given back."""
    keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with usual_warnings():
            yield
    finally:
        torch.set_num_threads(threads)


def _silent(*_: object) -> None:
    """Progress is shown by pytest."""


_IGNORED = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


@contextmanager
def usual_warnings() -> Iterator[None]:
    """Treat warnings as an ordinary process does."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in _IGNORED:
            warnings.simplefilter("ignore", category)
        yield
