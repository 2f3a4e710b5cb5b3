"""Jobs in the process that asks for them, one after the other."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.protocol import Job, Listener, Results, failure_of, inherited_failure
from graftbench.benchmark.runs.executors.worker import call, keep_freed_memory, send_to

_IGNORED = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


@dataclass(frozen=True)
class Inline:
    """Runs jobs here, with `threads` threads of torch, as a worker process would; time limits do not hold."""

    threads: int

    def run(self, jobs: Sequence[Job], listener: Listener) -> Results:
        """Run the jobs in the order given; a UserError is passed on."""
        results: dict[str, Any] = {}
        with _as_worker(self.threads, listener):
            for job in jobs:
                results[job.name] = inherited_failure(job, results) or _result(job)
                listener.ended(job.name, results[job.name])
        return results


class Silent:
    """Hears of progress, and shows none."""

    def progress(self, job: str, what: str, done: int, of: int) -> None:
        """Show nothing."""

    def ended(self, job: str, result: Any) -> None:
        """Show nothing."""


def _result(job: Job) -> Any:
    try:
        return call(job.name, job.function, job.all_arguments)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a job raises is its result)
        return failure_of(error)


@contextmanager
def _as_worker(threads: int, listener: Listener) -> Iterator[None]:
    """Set threads, warnings, memory and reports as in a worker process; all but the memory is put back."""
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    reports = send_to(lambda message: listener.progress(*message))
    try:
        with default_warnings():
            yield
    finally:
        send_to(reports)
        torch.set_num_threads(before)


@contextmanager
def default_warnings() -> Iterator[None]:
    """Use Python's default warning filters, even where pytest turns warnings into errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in _IGNORED:
            warnings.simplefilter("ignore", category)
        yield
