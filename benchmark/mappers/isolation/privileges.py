"""Privileges of the process that submissions run in: given up for good."""

import ctypes
import os

from graftbench.benchmark.mappers.isolation.libc import (
    PR_CAPBSET_DROP,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    prctl,
    syscall,
)

NOBODY = 65534
_SIGKILL = 9
_CAPABILITIES = 64  # numbers that a kernel may know
_CAPABILITY_VERSION = 0x20080522


def become_nobody() -> None:
    """Be the user `nobody`, where this process is root's: limits on tasks hold for root alone not."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def drop_capabilities() -> None:
    """Give up every capability, and any way to gain one; does nothing outside of Linux."""
    if os.uname().sysname != "Linux":
        return
    for number in range(_CAPABILITIES):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError:  # the kernel knows no more, or the process may not: then it has none to gain
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    syscall("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)  # other processes of the same user cannot look into it


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process when its parent ends, however that is; does nothing outside of Linux."""
    if os.uname().sysname == "Linux":
        prctl(PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
