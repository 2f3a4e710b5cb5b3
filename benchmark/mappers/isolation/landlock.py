"""Landlock: this process may only read and write what is named (https://docs.kernel.org/userspace-api/landlock.html)."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISDIR

from graftbench.benchmark.mappers.isolation.libc import syscall

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_ALL = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # rights of files that a version knows: the bits from 0 on
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15  # truncate, ioctl on a device
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_TCP, _SCOPES = 3, 3  # bind and connect; abstract sockets and signals
_VERSION, _PATH_BENEATH = 1, 1


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """Return the version of Landlock in this kernel, 0 where it has none."""
    try:
        return syscall("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[Path], writable: Iterable[Path], files: Iterable[int]) -> bool:
    """Restrict this process, for good, to some paths and open files; return False where the kernel has no Landlock.

    What lies below a path counts with it; `files` may only be read. Paths that are not there are left out.
    """
    known = version()
    if not known:
        return False
    everything = (1 << _ALL.get(known, 16)) - 1
    ruleset = _Ruleset(everything, _TCP if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    handle = syscall("landlock_create_ruleset", ctypes.byref(ruleset), size, 0)
    for paths, access in ((readable, _READ), (writable, everything)):
        for path in paths:
            _allow_path(handle, path, access & everything)
    for file in files:
        _allow(handle, file, _READ_FILE)
    syscall("landlock_restrict_self", handle, 0)
    os.close(handle)
    return True


def _allow_path(handle: int, path: Path, access: int) -> None:
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    try:
        _allow(handle, file, access)
    finally:
        os.close(file)


def _allow(handle: int, file: int, access: int) -> None:
    if not S_ISDIR(os.fstat(file).st_mode):
        access &= _OF_FILES
    rule = _Beneath(access, file)
    syscall("landlock_add_rule", handle, _PATH_BENEATH, ctypes.byref(rule), 0)
