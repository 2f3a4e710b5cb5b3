"""Jobs, and their failures."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from graftbench.benchmark.core.errors import UserError

Message = tuple[str, str, int, int]  # cell, what, done, of how many


@dataclass(frozen=True)
class Job:
    """A function to call in a worker, and the names of the jobs that come before it."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    after: tuple[str, ...] = ()
    timeout: float | None = None


@dataclass(frozen=True)
class Failure:
    """Why a job has no result: it failed, or its time was over."""

    status: Literal["failed", "timeout"]
    reason: str
    trace: str


def failure_of(error: BaseException, trace: str = "") -> Failure:
    """What a job that raised an error has in place of a result; a traceback of its own, where it is known better."""
    trace = trace or "".join(traceback.format_exception(error))
    return Failure("failed", f"{type(error).__name__}: {error}", trace)


def stop_at_failure(what: str, results: Mapping[str, Any]) -> None:
    """UserError, with the first job that has no result and why, where there is one."""
    for name, result in results.items():
        if isinstance(result, Failure):
            raise UserError(f"{what} failed at {name}: {result.reason}.")
