"""The process behind the wall: it imports torch once, and forks a process for each mapper that is to be fitted.

No code of a submission runs in it. It is started by `sandbox.py` and reads what to do from a socket.
"""

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from graftbench.benchmark.mappers.isolation import landlock, namespaces, seccomp, wire
from graftbench.benchmark.mappers.isolation.limits import Limits, apply
from graftbench.benchmark.mappers.isolation.privileges import drop_capabilities, end_with_parent
from graftbench.benchmark.mappers.isolation.view import View, environment

NAMESPACES, BWRAP, NO_WALL = "namespaces", "bwrap", ""
SERVICE = "graftbench.benchmark.mappers.isolation.service"
_OOM_SCORE = Path("/proc/self/oom_score_adj")


@dataclass(frozen=True)
class Order:
    """What the server is to be.

    Args:
        wall: The wall around it.
        view: What can be seen behind it.
        limits: Those of each process.
        scratch: Where each process has a folder to write to.
        on_gpu: Whether mappers run on a GPU.
        modules: Those that every process has loaded; without `SERVICE`, it only says how well this machine isolates.

    """

    wall: str
    view: View
    limits: Limits
    scratch: Path
    on_gpu: bool
    modules: tuple[str, ...]

    @classmethod
    def read(cls, words: dict[str, Any]) -> "Order":
        """Return the order that JSON values describe."""
        limits, view = Limits(**words["limits"]), View.from_json(words["view"])
        return cls(words["wall"], view, limits, Path(words["scratch"]), words["on_gpu"], tuple(words["modules"]))


def main(handle: int) -> None:
    """Serve forks until the other side is gone."""
    warnings.simplefilter("ignore")
    with suppress(OSError):  # where memory is short, this goes first
        _OOM_SCORE.write_text("1000")
    control = socket.socket(fileno=handle)
    words, _, _ = wire.receive(control, 0)
    order = Order.read(words)
    if order.wall == NAMESPACES:
        namespaces.enter(order.view, order.limits.file_size)
    drop_capabilities()
    for name in order.modules:
        import_module(name)
    wire.send(control, {"ready": True})
    try:
        while True:
            _obey(control, order)
    except wire.EndedError:
        os._exit(0)


def _obey(control: socket.socket, order: Order) -> None:
    words, _, files = wire.receive(control, 0, with_files=True)
    if words["do"] == "end":
        wire.send(control, {"status": _end(words["pid"], Path(words["scratch"]), words["seconds"])})
        return
    scratch = Path(tempfile.mkdtemp(dir=order.scratch))
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        control.close()
        _be_submission(parent, order, scratch, files)
    for file in files:
        os.close(file)
    wire.send(control, {"pid": pid, "scratch": str(scratch)})


def _end(pid: int, scratch: Path, seconds: float) -> int | None:
    """End a process with all that it started, after so many seconds in which it may end by itself.

    Return how it ended by then: its status, or minus its signal; None where it had not.
    """
    until = time.monotonic() + seconds
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(0.01)
        ended, status = os.waitpid(pid, os.WNOHANG)
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):  # it has no group yet, or is gone
            kill(pid, signal.SIGKILL)
    if not ended:
        os.waitpid(pid, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    return os.waitstatus_to_exitcode(status) if ended else None


def _be_submission(parent: int, order: Order, scratch: Path, files: Sequence[int]) -> NoReturn:
    """Limit this process, which was just forked, to what a submission may do, and serve it to its end."""
    status = 1
    try:
        _serve(parent, order, scratch, *files)
        status = 0
    finally:  # an error is printed nowhere else
        if status:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


def _serve(parent: int, order: Order, scratch: Path, connection: int, output: int, *pairs: int) -> None:
    os.setpgid(0, 0)
    end_with_parent(parent)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    for file in (1, 2):
        os.dup2(output, file)
    os.chdir(scratch)
    os.environ |= environment(str(scratch))
    tempfile.tempdir = None  # the place that the server found is not for submissions
    data = socket.socket(fileno=connection)
    wire.send(data, {"walls": _wall_in(order, scratch, pairs)})
    if SERVICE in order.modules:
        from graftbench.benchmark.mappers.isolation.service import serve

        serve(data, pairs)


def _wall_in(order: Order, scratch: Path, pairs: Sequence[int]) -> list[str]:
    """Set up every wall that this machine has, for good, and return their names."""
    walls = [order.wall] if order.wall else []
    apply(order.limits, own_tasks=bool(order.wall), on_gpu=order.on_gpu)
    view = order.view
    if landlock.restrict([*view.readable, *view.of_proc], [scratch, *view.devices], pairs):
        walls.append("landlock")
    if seccomp.refuse():
        walls.append("seccomp")
    return [*walls, "rlimits"]
