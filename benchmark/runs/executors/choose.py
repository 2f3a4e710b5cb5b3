"""The executor of a run, as a user names it."""

import os
from dataclasses import dataclass

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.remote import is_address
from graftbench.benchmark.models.devices import device_of
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.executors.inline import Inline
from graftbench.benchmark.runs.executors.local import Local
from graftbench.benchmark.runs.executors.protocol import Executor, ExecutorName

WORKERS = 2  # on one machine, where no number is given


@dataclass(frozen=True)
class Where:
    """Where the jobs of a run are done.

    Args:
        executor: `inline`, in this process; `local`, in worker processes; `ray`, on the nodes of a cluster.
        address: The address of a Ray cluster; None starts Ray on this machine.
        workers: Jobs at a time; None is two on one machine, and as many as a cluster has room for.

    """

    executor: ExecutorName = "local"
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Raise UserError where nothing would run, or an address is given and no cluster is used."""
        if self.workers is not None and self.workers < 1:
            raise UserError(f"The number of workers is at least 1, not {self.workers}.")
        if self.address is not None and self.executor != "ray":
            raise UserError(f"--address {self.address} is that of a Ray cluster: add --executor ray, or leave it out.")

    @property
    def on_one_machine(self) -> int:
        """Jobs that a machine does at a time, at the most, and that share its memory; nodes are taken to be like it."""
        if self.executor == "ray":
            return os.cpu_count() or 1
        return 1 if self.executor == "inline" else self.workers or WORKERS

    def device(self, name: str) -> str:
        """Return the name of a device as jobs use it; UserError where it is not there.

        Nodes of a cluster may have a GPU that this machine lacks, and a job sees its own alone.
        """
        if self.executor != "ray" or name == "auto":
            return str(device_of(name))
        if name not in _OF_NODES:
            raise UserError(f"With --executor ray, --device is cpu, cuda or auto, not {name}: Ray hands out the GPUs.")
        return _OF_NODES[name]

    def executor_for(self, settings: Settings) -> Executor:
        """Return the executor; UserError where judges have a budget that would not hold on several machines."""
        here = WORKERS if self.workers is None else self.workers
        if self.executor == "inline":
            return Inline(settings.threads)
        if self.executor == "local":
            return Local(1 if settings.on_gpu else here, settings.threads)  # a GPU is not shared
        _check_budget(settings)
        from graftbench.benchmark.runs.executors.ray import Ray

        return Ray(self.address, settings.threads, self.workers, settings.cache)


_OF_NODES = {"cpu": "cpu", "cuda": "cuda:0"}


def _check_budget(settings: Settings) -> None:
    budget = settings.budget or Budget("")
    if is_address(settings.cache) and (budget.requests, budget.dollars) != (None, None):
        raise UserError(
            "What judges spend is counted in the folder GRAFTBENCH_CACHE, and with GRAFTBENCH_REMOTE_CACHE every "
            "machine has its own: leave out --judge-requests and --judge-dollars, or share a folder."
        )
