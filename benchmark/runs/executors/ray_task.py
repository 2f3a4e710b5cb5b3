"""A job as a task of Ray: the process on a node that runs it, and its way there and back."""

import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.runs.executors.nodes import Setup, adopt
from graftbench.benchmark.runs.executors.protocol import Job, failure_of
from graftbench.benchmark.runs.executors.worker import Message, call, send_to, start

_PAUSE = 0.5  # seconds between two reports of one piece of work


@dataclass(frozen=True)
class Parcel:
    """A job and the content of its files."""

    job: Job
    contents: tuple[bytes, ...]


@dataclass(frozen=True)
class Returned:
    """The outcome of a job on a node.

    Args:
        result: What the function returned, or a Failure.
        mistake: The sentence of a UserError, None where there was none.
        written: By index of the folder and path in it, the files that were written, in that order.

    """

    result: Any = None
    mistake: str | None = None
    written: tuple[tuple[int, str, bytes], ...] = ()


class Reports:
    """What is heard of jobs on other nodes: their latest report, and that they began. An actor of Ray."""

    def __init__(self) -> None:
        self._latest: dict[str, Message] = {}
        self._began: list[tuple[str, str]] = []

    def begin(self, job: str, node: str) -> None:
        """Hear that a job began on a node."""
        self._began.append((job, node))

    def hear(self, message: Message) -> None:
        """Hear of a job's progress."""
        self._latest[message[0]] = message

    def take(self) -> tuple[list[tuple[str, str]], list[Message]]:
        """Return what was heard since the last time: the jobs that began, and the latest report of each."""
        began, latest = self._began, list(self._latest.values())
        self._began, self._latest = [], {}
        return began, latest


def packed(job: Job) -> Parcel:
    """Return a job with the content of its files; UserError where one is gone."""
    try:
        return Parcel(job, tuple(file.read_bytes() for file in job.files))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from error


def unpack(returned: Returned, job: Job) -> None:
    """Write the files of a job into its folders on this machine."""
    for i, path, content in returned.written:
        with atomic_write(job.folders[i] / path) as unfinished:
            unfinished.write_bytes(content)


def check_node(setup: Setup) -> str | None:
    """Return what keeps this node from running jobs, as a sentence without its subject; None where nothing does."""
    try:
        adopt(setup)
    except UserError as error:
        return str(error)
    return None


def run_job(parcel: Parcel, setup: Setup, reports: Any) -> Returned:
    """Run a job in this process of a node."""
    import ray

    job = parcel.job
    mistake = _checked(setup)  # again: a node may join late
    if mistake is not None:
        return Returned(mistake=f"The node {ray.util.get_node_ip_address()} {mistake}")
    _become_worker(setup.threads)
    reports.begin.remote(job.name, ray.get_runtime_context().get_node_id())  # its time is counted from here
    send_to(_Pausing(reports).put)
    try:
        files = [_kept(content, file.name) for content, file in zip(parcel.contents, job.files, strict=True)]
        with tempfile.TemporaryDirectory(prefix="graftbench-") as scratch:
            folders = [Path(scratch) / str(i) for i in range(len(job.folders))]
            result = call(job.name, job.function, (*job.arguments, *files, *folders))
            return Returned(result, written=tuple(_written(folders)))
    except UserError as error:
        return Returned(mistake=str(error))
    except Exception as error:  # noqa: BLE001 (whatever a job raises is its result)
        return Returned(failure_of(error))


_checked = cache(check_node)


@cache
def _become_worker(threads: int) -> None:
    """Set this process up, once."""
    start(_Nowhere(), threads)


class _Nowhere:
    def put(self, message: Message) -> None:
        """Pass nothing on."""


class _Pausing:
    """Passes reports on to another node: those of something new, and one every half second."""

    def __init__(self, reports: Any) -> None:
        self._reports, self._what, self._last = reports, "", 0.0

    def put(self, message: Message) -> None:
        """Pass a message on, or let it go."""
        if message[1] == self._what and time.monotonic() - self._last < _PAUSE:
            return
        self._what, self._last = message[1], time.monotonic()
        self._reports.hear.remote(message)


@cache
def _folder_of_files() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="graftbench-files-")


def _kept(content: bytes, name: str) -> Path:
    """Return a file with this content and name: one and the same for all jobs of this process."""
    file = Path(_folder_of_files().name) / hashlib.sha256(content).hexdigest()[:16] / name
    if not file.exists():
        with atomic_write(file) as unfinished:
            unfinished.write_bytes(content)
    return file


def _written(folders: Sequence[Path]) -> list[tuple[int, str, bytes]]:
    """Return the files below some folders in the order in which they were written: a part's JSON comes last."""
    files = [(i, file) for i, folder in enumerate(folders) for file in folder.rglob("*") if file.is_file()]
    files.sort(key=lambda one: one[1].stat().st_mtime_ns)
    return [(i, file.relative_to(folders[i]).as_posix(), file.read_bytes()) for i, file in files]
