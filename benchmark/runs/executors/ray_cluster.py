"""The nodes of a Ray cluster: their room for jobs, and whether they can run any."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.nodes import Setup
from graftbench.benchmark.runs.executors.protocol import Job, Needs
from graftbench.benchmark.runs.executors.ray_task import check_node

_FIRST_TASK = 120  # seconds on a node
PATIENCE = 60.0  # seconds for nodes to join a cluster that has just been started
_GIB = 2**30


class Cluster:
    """The cluster that `ray` is connected to, of which at most `workers` jobs run at a time."""

    def __init__(self, ray: Any, workers: int | None) -> None:
        self._ray, self._workers = ray, workers

    def is_alive(self, node: str) -> bool:
        """Return True for the id of a node that is alive."""
        return any(each["NodeID"] == node for each in self._nodes())

    def is_full(self, n_running: int) -> bool:
        """Return True where so many jobs are as many as may run at a time; False may be wrong."""
        return self._workers is not None and n_running >= self._workers

    def room(self, needs: Needs) -> int:
        """Return how many jobs with these needs run at a time."""
        room = sum(_room(each["Resources"], needs) for each in self._nodes())
        return room if self._workers is None else min(room, self._workers)

    def check(self, setup: Setup) -> None:
        """Raise UserError where a node cannot run jobs: it lacks this code, or does not see the cache.

        A node that is gone is passed over; the cluster notices that only after a while.
        """
        errors = self._ray.exceptions
        task = self._ray.remote(max_retries=0, num_cpus=0)(check_node)
        nodes = [each for each in self._nodes() if each["Resources"].get("CPU")]
        asked = [task.options(scheduling_strategy=self._only(each["NodeID"])).remote(setup) for each in nodes]
        for node, answer in zip(nodes, asked, strict=True):
            name = f"The node {node['NodeManagerAddress']}"
            try:
                mistake = self._ray.get(answer, timeout=_FIRST_TASK)
            except (errors.TaskUnschedulableError, errors.NodeDiedError):
                continue
            except errors.RayError as error:
                reason = str(error).strip().splitlines()[-1]
                raise UserError(f"{name} cannot run graftbench: {reason}") from error
            if mistake is not None:
                raise UserError(f"{name} {mistake}")

    def check_room(self, jobs: Sequence[Job]) -> None:
        """Wait for nodes; UserError where none has room for a job."""
        started = time.monotonic()
        for needs, job in {job.needs: job for job in jobs}.items():
            while not self.room(needs) and time.monotonic() - started < PATIENCE:
                time.sleep(1)
            if not self.room(needs):
                raise UserError(
                    f"No node of the cluster has {_words(needs)}, which {job.name} needs: start a node that has."
                )

    def here(self) -> Any:
        """Return the scheduling strategy that keeps an actor on the node of this process."""
        return self._only(self._ray.get_runtime_context().get_node_id())

    def _only(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node, soft=False)

    def _nodes(self) -> list[dict[str, Any]]:
        return [each for each in self._ray.nodes() if each["Alive"]]


def _room(resources: Mapping[str, float], needs: Needs) -> int:
    """Return how many jobs with these needs a node has room for."""
    asked = {"CPU": needs.cpus, "GPU": needs.gpus, "memory": needs.memory}
    return min(int(resources.get(name, 0) / n + 1e-6) for name, n in asked.items() if n)


def _words(needs: Needs) -> str:
    parts = [f"{needs.cpus} CPU{'s' if needs.cpus > 1 else ''}"]
    parts += [f"{needs.gpus:g} GPU"] if needs.gpus else []
    parts += [f"{needs.memory / _GIB:.1f} GiB of memory"] if needs.memory else []
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
