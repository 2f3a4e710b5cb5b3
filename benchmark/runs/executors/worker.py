"""The process that runs a job: how it is set up, and how the job reports progress."""

import ctypes
import sys
from collections.abc import Callable
from typing import Any, Protocol

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of mallopt(3)
_NEVER = 2**31 - 1  # bytes at the end of the heap: the most that mallopt takes

Message = tuple[str, str, int, int]  # job, what it does, done, of how many (0: not known)


class Sink(Protocol):
    """Where reports of a worker go: a queue, or what stands for one."""

    def put(self, message: Message) -> None:
        """Pass a message on."""


_send: Callable[[Message], None] = lambda _: None  # noqa: E731 (replaced when the process becomes a worker)
_job = ""


def report(what: str, done: int = 0, of: int = 0) -> None:
    """Report what the running job is doing, and how much of it is done; outside of a job nobody hears it."""
    _send((_job, what, done, of))


def call(job: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run a job's function under the job's name."""
    global _job
    _job = job
    return function(*arguments)


def send_to(send: Callable[[Message], None]) -> Callable[[Message], None]:
    """Send reports of this process elsewhere; returns where they went before."""
    global _send
    before, _send = _send, send
    return before


def start(sink: Sink, threads: int) -> None:
    """Make this process a worker: with its log, its memory, and `threads` threads of torch."""
    import torch  # in the worker alone
    import transformers

    from graftbench.benchmark.core.errors import log_to_file

    log_to_file()
    keep_freed_memory()
    send_to(sink.put)
    torch.set_num_threads(threads)
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, where the C library is glibc; elsewhere do nothing.

    Large tensors come and go with every batch. By itself glibc gives each back to the system, and the next comes in
    pages that the system has to fill with zeros first: for 64 MiB that takes longer than a tanh of them. The process
    stays near its peak size.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)
