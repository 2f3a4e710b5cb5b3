"""Limits of a submission's process."""

import os
import resource
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """Limits of the process of one fitted mapper.

    Args:
        memory: Bytes of memory, beside what Python and torch take; half of the machine's where it is 0.
        fit_seconds: Seconds that a fit may last, and seconds of CPU time of the process.
        call_seconds: Seconds that anything else may last, such as carrying some rows.
        file_size: Bytes of the scratch folder, and of each file.
        open_files: Files that are open at the same time.
        tasks: Threads of all submissions together, where they have a user or a namespace of their own.

    """

    memory: int = 0
    fit_seconds: float = 4 * 3600.0
    call_seconds: float = 600.0
    file_size: int = _GIB
    open_files: int = 256
    tasks: int = 512

    def as_json(self) -> dict[str, Any]:
        """Return the limits as JSON values."""
        return asdict(self)


def apply(limits: Limits, *, own_tasks: bool, on_gpu: bool) -> None:
    """Limit this process, for good; its tasks only where other programs of the user are not counted with them."""
    cpu = int(limits.fit_seconds) * (os.cpu_count() or 1) + 1
    _limit(resource.RLIMIT_CPU, cpu)
    _limit(resource.RLIMIT_FSIZE, limits.file_size)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_CORE, 0)
    if own_tasks:
        _limit(resource.RLIMIT_NPROC, limits.tasks)
    memory = limits.memory or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    # CUDA reserves addresses for all memory of the machine: there, only what is written to privately is counted
    kind, name = (resource.RLIMIT_DATA, "VmData") if on_gpu else (resource.RLIMIT_AS, "VmSize")
    _limit(kind, _taken(name) + memory)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def _taken(name: str) -> int:
    """Return the bytes that this process takes by a line of /proc/self/status; 4 GiB where the system has none."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 4 * _GIB
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024
