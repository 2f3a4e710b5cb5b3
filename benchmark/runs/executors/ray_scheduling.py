"""The course of a run on Ray: which jobs are on their way, which took too long, which lost their node."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.nodes import Setup
from graftbench.benchmark.runs.executors.protocol import Failure, Job, Listener, Results
from graftbench.benchmark.runs.executors.ray_cluster import Cluster
from graftbench.benchmark.runs.executors.ray_task import Reports, Returned, packed, run_job, unpack
from graftbench.benchmark.runs.executors.schedule import Schedule

_log = logging.getLogger("graftbench.ray")
ATTEMPTS = 3  # at a job whose node dies: it may be the job that kills it
_POLL = 0.5  # seconds without a job that ends; a look takes milliseconds from the jobs
_NOTICED = 5.0  # seconds until a node that died is known to have
_PATIENCE = 600.0  # seconds without any node that has room


@dataclass
class _Attempt:
    """A job on its way; the node that it runs on and the time when it began are known once it has begun."""

    job: Job
    number: int
    node: str | None = None
    since: float | None = None


class Scheduling:
    """The jobs of one run on a cluster."""

    def __init__(self, ray: Any, cluster: Cluster, setup: Setup, schedule: Schedule, listener: Listener) -> None:
        self._ray, self._cluster, self._schedule, self._listener = ray, cluster, schedule, listener
        self._setup = ray.put(setup)
        # Ray retries nothing by itself: a mapper that crashes would run on. A process keeps the memory of a GPU, and
        # ends with its job there.
        once = any(job.needs.gpus for job in schedule.waiting)
        self._task = ray.remote(max_retries=0, max_calls=1 if once else 0)(run_job)
        self._reports = ray.remote(num_cpus=0)(Reports).options(scheduling_strategy=cluster.here()).remote()
        self._running: dict[Any, _Attempt] = {}
        self._lost: dict[str, int] = {}  # by job: how many of its nodes died
        self._idle_since: float | None = None

    def run(self) -> Results:
        """Run the jobs; whatever ends it early stops those that run."""
        try:
            while self._schedule.waiting or self._running:
                self._submit()
                self._hear()
                self._end_finished()
                self._stop_late()
        except BaseException:
            for ref in self._running:
                self._ray.cancel(ref, force=True)
            raise
        return self._schedule.results

    def _submit(self) -> None:
        """Send the first jobs that wait for nothing to nodes with room; UserError where none comes back with any."""
        while not self._cluster.is_full(len(self._running)) and (job := self._schedule.take()) is not None:
            room = self._cluster.room(job.needs)
            if len(self._running) >= room:
                self._schedule.put_back(job)
                self._wait_for_nodes(room)
                return
            self._idle_since = None
            self._running[self._send(job)] = _Attempt(job, self._lost.get(job.name, 0) + 1)

    def _send(self, job: Job) -> Any:
        needs = job.needs
        takes = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "memory": needs.memory or None}
        return self._task.options(name=job.name, **takes).remote(packed(job), self._setup, self._reports)

    def _wait_for_nodes(self, room: int) -> None:
        if room or self._running:
            self._idle_since = None
            return
        self._idle_since = self._idle_since or time.monotonic()
        if time.monotonic() - self._idle_since > _PATIENCE:
            raise UserError(
                "No node of the cluster is left with room for a job: start one, and give the command again."
            )
        time.sleep(_POLL)

    def _hear(self) -> None:
        began, latest = self._ray.get(self._reports.take.remote())
        attempts = {attempt.job.name: attempt for attempt in self._running.values()}
        for name, node in began:
            if name in attempts:
                attempts[name].node, attempts[name].since = node, time.monotonic()
        for message in latest:
            if message[0] in attempts:
                self._listener.progress(*message)

    def _end_finished(self) -> None:
        over = self._ray.wait(list(self._running), timeout=_POLL)[0] if self._running else []
        for ref in over:
            attempt = self._running.pop(ref)
            try:
                returned: Returned = self._ray.get(ref)
            except self._ray.exceptions.RayError as error:
                self._end_lost(attempt, error)
                continue
            if returned.mistake is not None:
                raise UserError(returned.mistake)
            unpack(returned, attempt.job)
            self._schedule.end(attempt.job.name, returned.result)

    def _end_lost(self, attempt: _Attempt, error: Exception) -> None:
        """End a job that returned nothing, or let it wait again where its node died."""
        name = attempt.job.name
        if not self._node_died(attempt, error):
            reason = str(error).strip().splitlines()[0]
            self._schedule.end(name, Failure("failed", f"its process ended: {reason}", str(error)))
        elif attempt.number == ATTEMPTS:
            self._schedule.end(name, Failure("failed", f"{ATTEMPTS} nodes died while it ran on them", str(error)))
        else:
            _log.warning("the node of %s died; it runs again", name)
            self._lost[name] = attempt.number
            self._schedule.put_back(attempt.job)

    def _node_died(self, attempt: _Attempt, error: Exception) -> bool:
        """Return whether a job was lost with its node, or its result was; the cluster may notice a little later."""
        errors = self._ray.exceptions
        if isinstance(error, errors.NodeDiedError | errors.ObjectLostError):
            return True
        if not isinstance(error, errors.WorkerCrashedError) or attempt.node is None:
            return False
        until = time.monotonic() + _NOTICED
        while (alive := self._cluster.is_alive(attempt.node)) and time.monotonic() < until:
            time.sleep(_POLL)
        return not alive

    def _stop_late(self) -> None:
        """Stop the jobs whose time is over."""
        for ref, attempt in list(self._running.items()):
            limit, since = attempt.job.timeout, attempt.since
            if limit is not None and since is not None and time.monotonic() - since > limit:
                self._ray.cancel(ref, force=True)
                del self._running[ref]
                self._schedule.end(attempt.job.name, Failure("timeout", "its time was over", ""))
