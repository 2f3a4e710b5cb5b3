"""Jobs as tasks of Ray, on the nodes of a cluster or on this machine."""

import importlib
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.nodes import setup_of
from graftbench.benchmark.runs.executors.protocol import Job, Listener, Results
from graftbench.benchmark.runs.executors.ray_cluster import Cluster
from graftbench.benchmark.runs.executors.ray_scheduling import Scheduling
from graftbench.benchmark.runs.executors.schedule import Schedule

_ANSWER = 10  # seconds
_CORES = 2  # that Ray may use on one machine, where no number of workers is given


@dataclass(frozen=True)
class Ray:
    """Runs jobs on the nodes of the cluster at `address`, or on this machine where it is None.

    Args:
        threads: Of torch, in each process.
        workers: Jobs at a time at the most; None is as many as the nodes have room for.
        place: The store's: every node has to see it.

    """

    address: str | None
    threads: int
    workers: int | None
    place: str

    def run(self, jobs: Sequence[Job], listener: Listener) -> Results:
        """Run the jobs; one whose node dies is run again.

        UserError where Ray is not installed, the cluster cannot be reached, or a node lacks the code, the cache or the
        room for a job.
        """
        if not jobs:
            return {}
        ray = _imported()
        with setup_of(self.place, self.threads) as setup, self._connected(ray) as has_other_nodes:
            cluster = Cluster(ray, self.workers)
            cluster.check_room(jobs)
            if has_other_nodes:
                cluster.check(setup)
            return Scheduling(ray, cluster, setup, Schedule(jobs, listener), listener).run()

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[bool]:
        """Connect to the cluster, or start Ray on this machine, for a while; a connection that is there is used.

        Yields whether there may be nodes on other machines.
        """
        if ray.is_initialized():
            yield True
            return
        _knock(self.address)
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        cores = self.threads * (self.workers or _CORES)
        own = {"num_cpus": cores, "include_dashboard": False} if self.address is None else {}
        try:
            ray.init(address=self.address or "local", **own, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = "Ray cannot be started here" if self.address is None else f"There is no cluster at {self.address}"
            raise UserError(f"{where}: {' '.join(str(error).split())[:200]}") from error
        try:
            yield self.address is not None
        finally:
            ray.shutdown()  # ends the tasks of this run, too


def _knock(address: str | None) -> None:
    """Raise UserError where nobody answers at HOST:PORT: Ray would wait for long."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdecimal() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"There is no cluster at {address}: {error}.") from error


def _imported() -> Any:
    """Import Ray, which reports nothing to its makers, and gives jobs their share beside other work (not nice 15).

    UserError where it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UserError("--executor ray needs Ray: install it by pip install 'graftbench[ray]'.") from error
