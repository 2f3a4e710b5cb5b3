"""Executors: jobs, their failures, and what runs them."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from graftbench.benchmark.core.errors import CellError, UserError


@dataclass(frozen=True)
class Needs:
    """What a job takes up while it runs: CPU cores, GPUs (0.5: two such jobs share one), and bytes of memory."""

    cpus: int = 1
    gpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Job:
    """A function to call in a worker.

    The function gets `files` and `folders` after its arguments. An executor on other machines hands it copies of the
    files, and brings back what it wrote into the folders.

    Args:
        after: The names of jobs that have to end first.
        timeout: Seconds after which it is stopped.
        files: Files that it reads and that only this machine may have.
        folders: Folders that it writes into.

    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    after: tuple[str, ...] = ()
    timeout: float | None = None
    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    needs: Needs = Needs()

    @property
    def all_arguments(self) -> tuple[Any, ...]:
        """The arguments, the files and the folders."""
        return (*self.arguments, *self.files, *self.folders)


@dataclass(frozen=True)
class Failure:
    """Why a job has no result: it raised an error, its process died, or its time was over."""

    status: Literal["failed", "timeout"]
    reason: str
    trace: str


ExecutorName = Literal["inline", "local", "ray"]
EXECUTORS: tuple[ExecutorName, ...] = get_args(ExecutorName)
Results = Mapping[str, Any]  # by job: what its function returned, or a Failure


class Listener(Protocol):
    """Hears of the progress of jobs."""

    def progress(self, job: str, what: str, done: int, of: int) -> None:
        """Hear what a job is doing, and how much of it is done; `of` is 0 where that is not known."""

    def ended(self, job: str, result: Any) -> None:
        """Hear that a job ended with a result or a Failure."""


class Executor(Protocol):
    """Runs jobs. Bits, verdicts and counts do not depend on which executor ran them."""

    def run(self, jobs: Sequence[Job], listener: Listener) -> Results:
        """Run jobs in order, each after those it names; one after a failed job fails for the same reason.

        UserError where a job raises one: a user's mistake ends everything.
        """


def failure_of(error: BaseException, trace: str = "") -> Failure:
    """Return the Failure of a job that raised an error; `trace` is its traceback where that of the error is lost."""
    if isinstance(error, CellError):
        return Failure("failed", str(error), "")
    trace = trace or "".join(traceback.format_exception(error))
    return Failure("failed", f"{type(error).__name__}: {error}", trace)


def inherited_failure(job: Job, results: Results) -> Failure | None:
    """Return the Failure of a job that this one comes after, None where none of them has failed so far."""
    return next((failure for name in job.after if isinstance(failure := results.get(name), Failure)), None)


def stop_at_failure(what: str, results: Results) -> None:
    """Raise UserError, with the first failed job and its reason, where a job failed."""
    for name, result in results.items():
        if isinstance(result, Failure):
            raise UserError(f"{what} failed at {name}: {result.reason}.")
