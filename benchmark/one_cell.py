"""One cell in the process that asks for it, as a worker process does it; what comes out is written as a part."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from graftbench.leaderboard.schema import Cell as CellResult

from .assemble import cell_result
from .errors import UserError
from .mappers.finding import MapperSpec
from .memory import keep_freed_memory
from .parts import Parts
from .plan import Cell
from .pool import Failure, failure_of
from .usual_warnings import usual_warnings
from .work import Done, Settings, prepare, score

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


def _outcome(spec: MapperSpec, sha256: str, cell: Cell, settings: Settings, parts: Parts) -> Done | Failure:
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
