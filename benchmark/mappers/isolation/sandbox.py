"""The side of graftbench: start the process behind the wall, and have it fork a process for each mapper."""

import atexit
import os
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from signal import Signals
from tempfile import gettempdir
from typing import Any

from graftbench.benchmark.mappers.isolation import bwrap, namespaces, wire
from graftbench.benchmark.mappers.isolation.limits import Limits
from graftbench.benchmark.mappers.isolation.server import BWRAP, NAMESPACES, NO_WALL, SERVICE
from graftbench.benchmark.mappers.isolation.view import View, environment, interpreter, view_of
from graftbench.benchmark.mappers.loading import Code

_START_SECONDS, _TICK = 120.0, 1.0
LAST_SECONDS = 1.0  # after which a process that broke its connection is ended
WALLS_OF_FILES = {BWRAP, NAMESPACES, "landlock"}  # without one of these, all files of the user can be read
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from graftbench.benchmark.mappers.isolation.server import main; main(int(sys.argv[2]))"
)


class SandboxError(Exception):
    """The process behind the wall does not start, or is gone."""


@dataclass(frozen=True, eq=False)
class Forked:
    """A process behind the wall: its number there, its scratch folder, and the connection to it."""

    pid: int
    scratch: str
    data: socket.socket


class Sandbox:
    """A wall, and the process behind it that forks others; it is waited for when it is first needed.

    SandboxError, at any call, where that process does not start or is gone.
    """

    def __init__(self, wall: str, view: View, limits: Limits, modules: Sequence[str], *, on_gpu: bool = False) -> None:
        self._lock = threading.Lock()
        self.wall, self.limits = wall, limits
        self._ready, self._said = False, ""
        scratch = str(namespaces.SCRATCH) if wall else gettempdir()
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_TICK)
        with theirs:
            command = [str(interpreter()), "-I", "-S", "-c", _BOOT, str(view.packages), str(theirs.fileno())]
            if wall == BWRAP:
                command = bwrap.arguments(bwrap.program() or "bwrap", view, limits.file_size, command)
            self._process = subprocess.Popen(  # noqa: S603 (Python, or bubblewrap)
                command,
                env=environment(scratch),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
            )
        order = {"wall": wall, "view": view.as_json(), "limits": limits.as_json(), "scratch": scratch}
        with suppress(wire.EndedError):  # where it ended at once, the first call says why
            wire.send(self._control, order | {"on_gpu": on_gpu, "modules": list(modules)})

    def fork(self, output: int, pairs: Sequence[int]) -> Forked:
        """Return a new process, which writes to the open file `output` and may read those in `pairs`."""
        ours, theirs = socket.socketpair()
        with theirs:
            answer = self._ask({"do": "fork"}, [theirs.fileno(), output, *pairs])
        return Forked(answer["pid"], answer["scratch"], ours)

    def end(self, forked: Forked, seconds: float = 0.0) -> int | None:
        """End a process, after so many seconds in which it may end by itself.

        Return its status, or minus the signal that ended it; None where it did not end by itself.
        """
        forked.data.close()
        try:
            answer = self._ask({"do": "end", "pid": forked.pid, "scratch": forked.scratch, "seconds": seconds})
        except SandboxError:
            return None
        status: int = answer["status"]
        return status

    def kill(self) -> str:
        """End every process behind the wall, and return what the first one had to say."""
        if self._control.fileno() >= 0:
            self._control.close()  # for one that is still being started
            self._process.kill()
            _, said = self._process.communicate()
            self._said = said.decode("utf-8", "replace").strip()
        return self._said

    @property
    def alive(self) -> bool:
        """True while processes can be forked."""
        return self._process.poll() is None

    def _ask(self, header: dict[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        until = time.monotonic() + _START_SECONDS

        def waiting() -> None:
            if time.monotonic() > until:
                raise wire.EndedError

        with self._lock:
            try:
                if not self._ready:
                    wire.receive(self._control, 0, waiting)
                    self._ready = True
                wire.send(self._control, header, files=files, waiting=waiting)
                answer, _, _ = wire.receive(self._control, 0, waiting)
            except (wire.EndedError, wire.BrokenError, OSError) as error:
                why = self.kill().rpartition("\n")[2] or "it ended"
                raise SandboxError(f"the process that submissions run in is gone: {why}") from error
        return answer


_sandboxes: dict[tuple[Any, ...], Sandbox] = {}  # of this process
LIMITS = Limits()
_SLOW = {b"optim": "torch._dynamo", b"sklearn": "sklearn"}  # what takes a second to load, by words of those that use it


def sandbox_of(walls: Sequence[str], code: Code, *, on_gpu: bool) -> Sandbox:
    """Return the sandbox of this process for the code of a mapper; started where there is none yet."""
    wall = walls[0] if walls[0] in (BWRAP, NAMESPACES) else NO_WALL
    modules = (SERVICE, *(module for word, module in _SLOW.items() if word in code.source))
    key = wall, code.package, modules, on_gpu, LIMITS
    if key in _sandboxes and not _sandboxes[key].alive:
        _sandboxes.pop(key).kill()  # its connection is still open
    if key not in _sandboxes:
        _sandboxes[key] = Sandbox(wall, view_of(code.package, on_gpu=on_gpu), LIMITS, modules, on_gpu=on_gpu)
    return _sandboxes[key]


@atexit.register
def end_sandboxes() -> None:
    """End the sandboxes of this process, with everything behind them."""
    while _sandboxes:
        _sandboxes.popitem()[1].kill()


def words_of(status: int | None, limits: Limits) -> str:
    """Say how a process ended that gave no answer."""
    if status is None:
        return "its process broke the connection"
    if status >= 0:
        return f"its process ended with status {status}"
    name = Signals(-status).name
    if name == "SIGXCPU":
        return f"its process used more than its share of the CPU ({limits.fit_seconds:g} s on every core)"
    return f"its process was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


@cache
def walls() -> tuple[str, ...]:
    """Return what keeps a submission apart on this machine, the best wall there is with all that comes on top of it."""
    last: SandboxError | None = None
    for wall in (BWRAP, NAMESPACES, NO_WALL):
        if wall == BWRAP and bwrap.program() is None:
            continue
        try:
            return tried(wall)
        except SandboxError as error:
            last = error
    raise last or SandboxError("no process can be started")


def tried(wall: str) -> tuple[str, ...]:
    """Return the names of a wall and all that comes on top of it; SandboxError where it cannot be set up here."""
    limits = Limits()
    sandbox = Sandbox(wall, view_of(None, on_gpu=False), limits, [])
    try:
        with Path(os.devnull).open("w") as nothing:
            forked = sandbox.fork(nothing.fileno(), [])
        forked.data.settimeout(_START_SECONDS)
        try:
            header, _, _ = wire.receive(forked.data, 0)
        except (wire.EndedError, wire.BrokenError) as error:
            raise SandboxError(words_of(sandbox.end(forked, LAST_SECONDS), limits)) from error
        forked.data.close()
    finally:
        sandbox.kill()
    return tuple(header["walls"])
