"""One isolated process: requests to it, its answers, and what it prints."""

import os
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from graftbench.benchmark.core.escaping import escape_control, in_one_line
from graftbench.benchmark.mappers.host import MapperError
from graftbench.benchmark.mappers.isolation import wire
from graftbench.benchmark.mappers.isolation.limits import Limits
from graftbench.benchmark.mappers.isolation.sandbox import LAST_SECONDS, Forked, Sandbox, SandboxError, words_of

_TICK = 0.5  # seconds between two looks at the time and at the scratch folder
_MAX_PRINTED = 2**16  # bytes of what a process prints that are shown


class IsolatedProcess:
    """A process behind the wall of a sandbox, which ends with this object.

    MapperError where it does not answer as it should, for whatever reason.
    """

    def __init__(self, sandbox: Sandbox, name: str, expected: Sequence[str], pairs: Sequence[Path]) -> None:
        self._sandbox, self._limits, self._name = sandbox, sandbox.limits, name
        self._output: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed with the process)
        self._shown = 0
        files = [os.open(path, os.O_RDONLY) for path in pairs]
        try:
            self._forked = sandbox.fork(self._output.fileno(), files)
        except SandboxError as error:
            raise MapperError(str(error)) from error
        finally:
            for file in files:
                os.close(file)
        self._forked.data.settimeout(_TICK)
        self._over = weakref.finalize(self, _end, sandbox, self._forked, self._output)
        there = self._received(0, self._limits.call_seconds)[0]["walls"]
        if list(there) != list(expected):
            self._over()
            raise MapperError(
                f"a submission is isolated by {'+'.join(expected)} in this run, and here by {in_one_line(str(there))}"
            )

    @property
    def limits(self) -> Limits:
        """The limits of the process."""
        return self._limits

    def ask(
        self, request: Mapping[str, Any], payload: "bytes | memoryview" = b"", *, seconds: float, max_bytes: int = 0
    ) -> tuple[wire.Header, bytearray]:
        """Send a request, and return the answer to it: up to so many bytes, within so many seconds."""
        if not self._over.alive:
            raise MapperError("its process has ended")
        try:
            wire.send(self._forked.data, request, payload, waiting=self._waiting(seconds))
        except wire.EndedError:
            self._fail(None)
        header, reply = self._received(max_bytes, seconds)
        self._show()
        return header, reply

    def _received(self, max_bytes: int, seconds: float) -> tuple[wire.Header, bytearray]:
        try:
            header, reply, _ = wire.receive(self._forked.data, max_bytes, self._waiting(seconds))
        except wire.EndedError:
            self._fail(None)
        except wire.BrokenError as error:
            self._fail(str(error))
        return header, reply

    def _fail(self, why: str | None) -> NoReturn:
        """End the process, and raise MapperError with the reason, or with how the process had ended by itself."""
        self._show()
        status = self._sandbox.end(self._forked, 0.0 if why else LAST_SECONDS)
        self._over.detach()
        self._output.close()
        raise MapperError(why or words_of(status, self._limits))

    def _waiting(self, seconds: float) -> wire.Waiting:
        until = time.monotonic() + seconds
        looked = time.monotonic()

        def look() -> None:
            nonlocal looked
            now = time.monotonic()
            if now > until:
                self._fail(f"it gave no answer within {seconds:g} s")
            if not self._sandbox.wall and now > looked + _TICK:  # a wall has a scratch folder of limited size
                looked = now
                if _bytes_below(Path(self._forked.scratch)) > self._limits.file_size:
                    self._fail(f"it wrote more than {self._limits.file_size} bytes")

        return look

    def _show(self) -> None:
        """Show what the process has printed since the last look, line by line, with control characters escaped."""
        printed = os.pread(self._output.fileno(), max(0, _MAX_PRINTED - self._shown), self._shown)
        self._shown += len(printed)
        for line in printed.decode("utf-8", "replace").splitlines():
            sys.stderr.write(f"{self._name}: {escape_control(line)}\n")
        if printed and self._shown == _MAX_PRINTED:
            sys.stderr.write(f"{self._name}: (what it prints from here on is left out)\n")


def _end(sandbox: Sandbox, forked: Forked, output: BinaryIO) -> None:
    sandbox.end(forked)
    output.close()


def _bytes_below(folder: Path) -> int:
    """Return the bytes of the files below a folder; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(Path(place, name)).st_size
            except FileNotFoundError:  # gone by now
                continue
    return total
