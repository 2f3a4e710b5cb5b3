"""Cells on worker processes: in the order of the plan, each after its ground, each within its time."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing.managers import SyncManager
from queue import Empty, Queue
from signal import Signals
from typing import Any

from pebble import ProcessExpired, ProcessPool

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.protocol import Failure, Job, Message, failure_of
from graftbench.benchmark.runs.executors.worker import _start


def run_jobs(
    jobs: Sequence[Job],
    workers: int,
    threads: int,
    hear: Callable[[Message], None],
    finished: Callable[[str, Any], None],
) -> dict[str, Any]:
    """The result of each job, or its Failure; one that comes after a failed one fails for the same reason.

    A worker whose time is over is stopped and replaced. A user's mistake ends everything.
    """
    results: dict[str, Any] = {}
    waiting, running = list(jobs), dict[Future[Any], str]()
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(_end_with, (os.getpid(),))
    with manager:
        queue: Queue[Message] = manager.Queue()
        with ProcessPool(workers, initializer=_start, initargs=(queue, threads), context=context) as pool:
            try:
                while waiting or running:
                    _submit(pool, waiting, running, results, finished)
                    over = wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done
                    _drain(queue, hear)
                    for future in over:
                        name = running.pop(future)
                        results[name] = _result(future)
                        finished(name, results[name])
            except BaseException:
                pool.stop()
                raise
    return results


def _submit(
    pool: Any,
    waiting: list[Job],
    running: dict[Future[Any], str],
    results: Mapping[str, Any],
    finished: Callable[[str, Any], None],
) -> None:
    for job in list(waiting):
        if any(name not in results for name in job.after):
            continue
        waiting.remove(job)
        failed = [results[name] for name in job.after if isinstance(results[name], Failure)]
        if failed:
            results[job.name] = failed[0]  # type: ignore[index]
            finished(job.name, failed[0])
        else:
            running[pool.schedule(job.function, args=job.arguments, timeout=job.timeout)] = job.name


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except UserError:
        raise
    except ProcessExpired as error:
        return Failure("failed", _ended(error.exitcode), "")
    except Exception as error:  # noqa: BLE001 (whatever a job raised is its result)
        trace = getattr(error, "traceback", "")  # of the worker, where the job itself raised it
        if isinstance(error, TimeoutError) and not trace:
            return Failure("timeout", "its time was over", "")
        return failure_of(error, trace)


def _ended(status: int) -> str:
    """How a process ended that gave no result; a negative status is the signal that ended it."""
    if status < 0:
        return f"its process was ended by {Signals(-status).name} (out of memory?)"
    return f"its process ended with status {status}"


def _drain(queue: "Queue[Message]", hear: Callable[[Message], None]) -> None:
    while True:
        try:
            hear(queue.get_nowait())
        except Empty:
            return


def _end_with(parent: int) -> None:
    """In the process that holds the queue: end when the run is gone, however it was ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
