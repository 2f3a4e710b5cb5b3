"""Commands in a forked process whose disk fails, or which is killed with all that it started, at a given moment."""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from graftbench.benchmark.runs.executors import local
from graftbench.cli.main import main

Fault = Callable[[str, int], None]
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, minus a signal; what it printed; and how often it was about to change a file."""

    status: int
    said: str
    changes: int


def command(
    arguments: Sequence[str],
    folder: Path,
    *,
    before_change: int | None = None,
    after: float | None = None,
    fault: Fault | None = None,
) -> Ended:
    """Run `graftbench` in a folder, as a process of its own that need not import torch again.

    Its whole group is killed before the change of files with that number (from 1), or after so many seconds. `fault` is
    called with the name of what it is about to do to a file, and how many changes there were with this one; what it
    raises is what the disk says.
    """
    with started(arguments, folder, before_change=before_change, fault=fault) as running:
        return running.wait(after)


@contextmanager
def started(
    arguments: Sequence[str], folder: Path, *, before_change: int | None = None, fault: Fault | None = None
) -> Iterator["Running"]:
    """Run a command while the block does something else."""
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as changes:
        counter = _Counter(changes.fileno(), before_change, folder, fault)
        pid = os.fork()
        if pid == 0:
            _be_command(arguments, folder, printed.fileno(), counter)
        yield Running(pid, printed.fileno(), changes.fileno())


@dataclass(frozen=True)
class Running:
    """A command in a forked process."""

    pid: int
    printed: int
    changes: int

    def wait(self, after: float | None = None) -> Ended:
        """Wait until it ends; after so many seconds its group is killed."""
        status = _status(self.pid, after)
        _wait_for_group(self.pid)
        said = os.pread(self.printed, 2**20, 0).decode()
        return Ended(status, said, os.fstat(self.changes).st_size)


@dataclass(frozen=True)
class _Counter:
    """Counts changes of files in a process and in those that it forks, and kills all of them before one."""

    file: int
    last: int | None
    folder: Path
    fault: Fault | None

    def __call__(self, event: str, arguments: Sequence[Any]) -> None:
        change = event in CHANGES or (event == "open" and _written(*arguments))
        if change:
            os.write(self.file, b".")
        n = os.fstat(self.file).st_size if change else 0
        if self.last is not None and n >= self.last:
            os.killpg(0, signal.SIGKILL)
        if self.fault is not None and (change or event == "open") and self._is_below(arguments[0]):
            self.fault(event if event != "open" or change else "read", n)

    def _is_below(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(path).absolute().is_relative_to(self.folder)


def _written(path: Any, _: Any, flags: int) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) and not str(path).startswith("/dev/")


def _be_command(arguments: Sequence[str], folder: Path, output: int, counter: Callable[..., None]) -> None:
    """Be a process as a shell starts it, but for what is imported by now; it does not return."""
    status = 1
    try:
        os.setsid()
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.stdout, sys.stderr = (open(stream, "w", closefd=False) for stream in (1, 2))  # noqa: SIM115
        os.chdir(folder)
        os.environ |= environment(folder)
        tempfile.tempdir = None
        forking = multiprocessing.get_context("fork")
        local.multiprocessing = SimpleNamespace(get_context=lambda _: forking)  # type: ignore[assignment]
        sys.addaudithook(counter)
        status = main(arguments)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        if status == 1:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
        os._exit(status)


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a command whose every file lies below a folder."""
    (folder / "tmp").mkdir(exist_ok=True)
    own = {"GRAFTBENCH_CACHE": folder / "cache", "TMPDIR": folder / "tmp", "GRAFTBENCH_DATA": folder / "data"}
    return {name: str(path) for name, path in own.items()} | {"COLUMNS": "200"}


def _status(pid: int, after: float | None) -> int:
    """Wait for a process, and kill its group when its time is over."""
    until = time.monotonic() + (600 if after is None else after)
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended:
        if time.monotonic() > until:
            os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            break
        time.sleep(0.002)
        ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status)


def _wait_for_group(group: int) -> None:
    """Wait for what a process started, which was killed with it and may still be writing its last."""
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                process.wait(10)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
