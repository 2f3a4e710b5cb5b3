"""Jobs on worker processes of this machine, each within its time."""

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from queue import Empty, Queue
from signal import Signals
from typing import Any
from uuid import uuid4

from pebble import ProcessExpired, ProcessPool

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.protocol import (
    Failure,
    Job,
    Listener,
    Results,
    failure_of,
)
from graftbench.benchmark.runs.executors.schedule import Schedule
from graftbench.benchmark.runs.executors.worker import Message, call, start


@dataclass(frozen=True)
class Local:
    """Runs so many jobs at a time at the most, each in a process with `threads` threads of torch."""

    workers: int
    threads: int

    def run(self, jobs: Sequence[Job], listener: Listener) -> Results:
        """Run the jobs; a worker whose time is over is stopped and replaced."""
        context = multiprocessing.get_context("spawn")
        manager = SyncManager(_address(), ctx=context)
        manager.start(_end_with, (os.getpid(),))
        with manager:
            queue: Queue[Message] = manager.Queue()
            workers = max(1, min(self.workers, _at_once(jobs)))  # one that waits all the time is not started
            with ProcessPool(workers, initializer=start, initargs=(queue, self.threads), context=context) as pool:
                return _Scheduling(pool, workers, queue, jobs, listener).run()


class _Scheduling:
    """The jobs of one run on a pool of processes."""

    def __init__(
        self, pool: Any, workers: int, queue: "Queue[Message]", jobs: Sequence[Job], listener: Listener
    ) -> None:
        self._pool, self._workers, self._queue, self._listener = pool, workers, queue, listener
        self._schedule, self._running = Schedule(jobs, listener), dict[Future[Any], Job]()
        self._started = dict[Future[Any], float]()

    def run(self) -> Results:
        try:
            while self._schedule.waiting or self._running:
                self._submit()
                over = wait(self._running, timeout=0.2, return_when=FIRST_COMPLETED).done
                self._hear()
                for future in over:
                    self._schedule.end(self._running.pop(future).name, _result(future))
                self._stop_late()
        except BaseException:
            self._pool.stop()
            raise
        return self._schedule.results

    def _submit(self) -> None:
        """Give the free workers the first jobs that wait for nothing: those named early go first."""
        while len(self._running) < self._workers and (job := self._schedule.take()) is not None:
            self._running[self._pool.schedule(call, args=(job.name, job.function, job.all_arguments))] = job

    def _stop_late(self) -> None:
        """Stop the jobs whose time is over. Pebble would go by the time of day, which somebody may set."""
        now = time.monotonic()
        for future, job in list(self._running.items()):
            if job.timeout is None or not future.running():
                continue
            late = now - self._started.setdefault(future, now) > job.timeout
            if late and future.cancel():  # which ends the process; False where the job has just ended by itself
                del self._running[future]
                self._schedule.end(job.name, Failure("timeout", "its time was over", ""))

    def _hear(self) -> None:
        while True:
            try:
                self._listener.progress(*self._queue.get_nowait())
            except Empty:
                return


def _at_once(jobs: Sequence[Job]) -> int:
    """Return how many jobs can run at the same time at the most: the chains of jobs, one after the other, in them."""
    ends: set[str] = set()
    for job in sorted(jobs, key=lambda job: len(job.after)):  # those before others
        ends.discard(next((name for name in job.after if name in ends), ""))
        ends.add(job.name)
    return len(ends)


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except UserError:
        raise
    except ProcessExpired as error:
        return Failure("failed", _ended(error.exitcode), "")
    except Exception as error:  # noqa: BLE001 (whatever a job raises is its result)
        return failure_of(error, getattr(error, "traceback", ""))  # of the worker


def _ended(status: int) -> str:
    """Say how a process ended that gave no result; a negative status is the signal that ended it."""
    if status < 0:
        return f"its process was ended by {Signals(-status).name} (out of memory?)"
    return f"its process ended with status {status}"


def _address() -> str | None:
    """Return an address for the queue that leaves no file behind when the run is killed; None where there is none."""
    return f"\0graftbench-{uuid4().hex}" if sys.platform == "linux" else None


def _end_with(parent: int) -> None:
    """End the process that holds the queue when the run is gone, however it was ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
