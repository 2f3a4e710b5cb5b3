"""Calls of the C library and of the kernel that Python has no function for."""

import ctypes
import os
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import _CArgObject

    Argument = int | bytes | _CArgObject | None

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYSCALLS = {  # by machine; those that are of the same number on both stand below
    "x86_64": {"pivot_root": 155, "seccomp": 317, "capset": 126},
    "aarch64": {"pivot_root": 41, "seccomp": 277, "capset": 91},
}
_EVERYWHERE = {
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38


def machine() -> str | None:
    """Return the machine where the numbers of its system calls are known, else None."""
    name = platform.machine()
    return name if name in _SYSCALLS else None


def syscall(name: str, *arguments: "Argument") -> int:
    """Make a system call; OSError where it fails, or its number is not known on this machine."""
    numbers = _EVERYWHERE | _SYSCALLS.get(platform.machine(), {})
    if name not in numbers or platform.system() != "Linux":
        raise OSError(38, "not a system call of this machine", name)  # ENOSYS
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(numbers[name]), *given), name)


def call(name: str, *arguments: "Argument") -> int:
    """Call a function of the C library; OSError where it fails, or there is none of this name."""
    try:
        function = _LIBC[name]
    except AttributeError as error:
        raise OSError(38, "not a function of this C library", name) from error
    given = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    return _checked(function(*given), name)


def prctl(option: int, value: int = 0) -> None:
    """Set something of this process; OSError where that fails."""
    call("prctl", option, value, 0, 0, 0)


def _checked(result: int, name: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    return result
