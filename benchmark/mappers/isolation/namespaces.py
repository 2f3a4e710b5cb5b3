"""A wall of namespaces: this process gets a file system, processes and a network of its own (namespaces(7))."""

import ctypes
import os
from pathlib import Path
from stat import S_ISDIR

from graftbench.benchmark.mappers.isolation.libc import call, syscall
from graftbench.benchmark.mappers.isolation.privileges import NOBODY, become_nobody, end_with_parent
from graftbench.benchmark.mappers.isolation.view import View

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_REC, _PRIVATE, _BIND, _NOSUID, _NODEV, _NOEXEC, _RDONLY = 0x4000, 0x40000, 0x1000, 2, 4, 8, 1
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
SCRATCH = Path("/scratch")
_MADE = (Path("/dev"), Path("/proc"), SCRATCH)


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def enter(view: View, scratch_bytes: int) -> None:
    """Go on in new namespaces, in which `view` is all there is; OSError where the system does not allow it.

    The process that called waits for the one that goes on, which is the first of its namespace: when it ends, so does
    everything in it. Root goes on as nobody; anybody else keeps the user, without rights outside.
    """
    as_root = os.geteuid() == 0
    user, group = os.geteuid(), os.getegid()
    call("unshare", _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET | (0 if as_root else _NEWUSER))
    if not as_root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _become_child()
    owner = NOBODY if as_root else user
    _change_root(view, f"size={scratch_bytes},nr_inodes=10000,mode=0700,uid={owner},gid={owner if as_root else group}")
    if as_root:
        become_nobody()
    end_with_parent(0)  # it lies outside of the namespace, and has no number here


def _become_child() -> None:
    """Fork; the parent waits for the child, and ends as it ended."""
    pid = os.fork()
    if pid == 0:
        return
    os.closerange(3, 1024)  # the connection is the child's
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _change_root(view: View, scratch: str) -> None:
    _mount(None, "/", None, _REC | _PRIVATE)
    root = Path("/tmp")  # noqa: S108 (a folder that is there: the new root covers it, for this process alone)
    _prepare(view, root, scratch)
    os.chdir(root)
    syscall("pivot_root", b".", b".")
    call("umount2", b".", _DETACH)
    os.chdir("/")


def _prepare(view: View, root: Path, scratch: str) -> None:
    """Mount everything that is seen below a new, empty root."""
    open_paths = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in (*view.readable, *view.devices)]
    _mount("tmpfs", str(root), "tmpfs", _NOSUID | _NODEV, "size=16m,mode=0755")
    for path in _MADE:
        _at(root, path).mkdir(parents=True)
    for path, file in open_paths:
        _bind(file, _at(root, path), device=path in view.devices)
    for path, target in view.links:
        _at(root, path).symlink_to(target)
    _mount("proc", str(_at(root, Path("/proc"))), "proc", _NOSUID | _NODEV | _NOEXEC | _RDONLY)
    _mount("tmpfs", str(_at(root, SCRATCH)), "tmpfs", _NOSUID | _NODEV, scratch)
    _set_attributes(root, _RDONLY | _NOSUID, 0)


def _at(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _bind(file: int, to: Path, *, device: bool) -> None:
    """Bind an open file or folder, read-only, with everything that is mounted below it."""
    if S_ISDIR(os.fstat(file).st_mode):
        to.mkdir(parents=True, exist_ok=True)
    else:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.touch()
    _mount(f"/proc/self/fd/{file}", str(to), None, _BIND | _REC)
    _set_attributes(to, _NOSUID | (0 if device else _RDONLY | _NODEV), _AT_RECURSIVE)
    os.close(file)


def _set_attributes(path: Path, attributes: int, flags: int) -> None:
    """Set MOUNT_ATTR_RDONLY (1), _NOSUID (2) and _NODEV (4), which have the numbers of the flags of mount(2)."""
    wanted = _Attributes(attributes, 0, 0, 0)
    size = ctypes.sizeof(wanted)
    syscall("mount_setattr", _AT_FDCWD, os.fsencode(path), flags, ctypes.byref(wanted), size)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    call("mount", *words, flags, None if options is None else options.encode())
