"""The order in which the jobs of a run are done."""

from collections.abc import Sequence
from typing import Any

from graftbench.benchmark.runs.executors.protocol import Job, Listener, Results, inherited_failure


class Schedule:
    """The jobs of one run: which wait, and the results of those that ended."""

    def __init__(self, jobs: Sequence[Job], listener: Listener) -> None:
        self._waiting, self._listener = list(jobs), listener
        self._results: dict[str, Any] = {}

    @property
    def results(self) -> Results:
        """The results of the jobs that ended, by name."""
        return self._results

    @property
    def waiting(self) -> Sequence[Job]:
        """The jobs that have not been taken yet."""
        return self._waiting

    def take(self) -> Job | None:
        """Return the first job that waits for no other, None where there is none; it no longer waits.

        Jobs after a failed one end on the way.
        """
        for job in list(self._waiting):
            failure = inherited_failure(job, self._results)
            if failure is not None:
                self._waiting.remove(job)
                self.end(job.name, failure)
            elif all(name in self._results for name in job.after):
                self._waiting.remove(job)
                return job
        return None

    def put_back(self, job: Job) -> None:
        """Let a job that was taken wait again, before all others."""
        self._waiting.insert(0, job)

    def end(self, job: str, result: Any) -> None:
        """Note the result of a job, and report it."""
        self._results[job] = result
        self._listener.ended(job, result)
