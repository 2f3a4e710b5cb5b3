"""What a worker process does at its start, and how it reports progress."""

import ctypes
import sys
from queue import Queue
from typing import Any

from graftbench.benchmark.runs.executors.protocol import Message

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of mallopt(3)
_NEVER = 2**31 - 1  # bytes at the end of the heap: the most that mallopt takes


def keep_freed_memory() -> None:
    """Let this process keep what it frees, where the C library is glibc; elsewhere do nothing.

    Its size stays near the most that it ever had at a time. Large tensors come and go with every batch. By itself glibc
    gives each back to the system, and the next comes in pages that the system has to fill with zeros first: for 64 MiB
    that takes longer than a tanh of them.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)


_queue: "Queue[Message] | None" = None


def tell(*message: Any) -> None:
    """In a worker: say what is being done."""
    assert _queue is not None
    _queue.put(message)


def _start(queue: "Queue[Message]", threads: int) -> None:
    import torch  # in the worker alone
    import transformers

    from graftbench.benchmark.core.errors import log_to_file
    from graftbench.benchmark.runs.executors.worker import keep_freed_memory

    global _queue
    log_to_file()
    keep_freed_memory()
    _queue = queue
    torch.set_num_threads(threads)
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
