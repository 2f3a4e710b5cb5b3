"""What a process frees stays its own, so that the next batch need not ask the system for memory again."""

import ctypes
import sys

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
