"""Commands in a forked process, which is killed with all that it started: after so many writes, or so many seconds."""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from graftbench.benchmark.runs.executors import local
from graftbench.cli.main import main

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, minus a signal; what it printed; and how often it was about to change a file."""

    status: int
    said: str
    changes: int


def command(
    arguments: Sequence[str], folder: Path, *, before_change: int | None = None, after: float | None = None
) -> Ended:
    """Run `graftbench` in a folder, as a process of its own that need not import torch again.

    Its whole group is killed before the change of files with that number (from 1), or after so many seconds.
    """
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as changes:
        counter = _Counter(changes.fileno(), before_change)
        pid = os.fork()
        if pid == 0:
            _be_command(arguments, folder, printed.fileno(), counter)
        status = _status(pid, after)
        _wait_for_group(pid)
        said = os.pread(printed.fileno(), 2**20, 0).decode()
        return Ended(status, said, os.fstat(changes.fileno()).st_size)


@dataclass(frozen=True)
class _Counter:
    """Counts changes of files in a process and in those that it forks, and kills all of them before one."""

    file: int
    last: int | None

    def __call__(self, event: str, arguments: Sequence[Any]) -> None:
        opened = event == "open" and _written(*arguments)
        if not opened and event not in CHANGES:
            return
        os.write(self.file, b".")
        if self.last is not None and os.fstat(self.file).st_size >= self.last:
            os.killpg(0, signal.SIGKILL)


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
