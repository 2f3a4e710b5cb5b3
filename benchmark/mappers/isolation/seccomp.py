"""seccomp: system calls that no mapper needs fail (https://docs.kernel.org/userspace-api/seccomp_filter.html).

The list names what is refused. A list of what is allowed would break with every version of torch.
"""

import ctypes
import os
import platform
import struct

from graftbench.benchmark.mappers.isolation.libc import syscall

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_REFUSED: dict[str, tuple[int, int | None]] = {  # numbers on x86_64 and on aarch64, which lacks old ones
    # the network, and sockets of any other kind
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # other programs and processes
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "kcmp": (312, 272),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    # parts of the kernel with a history of holes
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "personality": (135, 92),
    "fanotify_init": (300, 262),
    # the machine
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
}
_CLONE, _CLONE3 = {"x86_64": 56, "aarch64": 220}, 435
_SIGNALS = ({"x86_64": 62, "aarch64": 129}, {"x86_64": 234, "aarch64": 131})  # kill, tgkill
_PRCTL, _DEATH_SIGNAL = {"x86_64": 157, "aarch64": 167}, 1
_CLONE_THREAD = 0x10000
_X32 = 0x40000000

_LOAD, _IF_EQUAL, _IF_SET, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in what a filter reads
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_SET_FILTER, _ALL_THREADS = 1, 1

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, value


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refused() -> list[str]:
    """Return the names of the system calls that fail whatever their arguments."""
    return list(_REFUSED)


def program(machine: str, pid: int) -> list[Instruction]:
    """Return the filter of a process: what is refused, no new process, and signals to none but itself."""
    column = 0 if machine == "x86_64" else 1
    refused = [numbers[column] for numbers in _REFUSED.values()]
    steps: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, _AUDIT[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # the same calls under other numbers
        steps += [(_IF_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _EPERM)]
    for number in refused:
        if number is not None:
            steps += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    steps += [(_IF_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ENOSYS)]  # its flags cannot be read: libc then uses clone
    steps += [(_IF_EQUAL, 0, 4, _CLONE[machine]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_SET, 1, 0, _CLONE_THREAD)]
    steps += [(_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    for numbers in _SIGNALS:
        steps += [(_IF_EQUAL, 0, 4, numbers[machine]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_EQUAL, 1, 0, pid)]
        steps += [(_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    steps += [(_IF_EQUAL, 0, 3, _PRCTL[machine]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_EQUAL, 0, 1, _DEATH_SIGNAL)]
    return [*steps, (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]


def refuse() -> bool:
    """Filter the system calls of this process, for good; return False where that cannot be done.

    It must not be able to gain privileges (PR_SET_NO_NEW_PRIVS) and has one thread.
    """
    machine = platform.machine()
    if machine not in _AUDIT:
        return False
    steps = program(machine, os.getpid())
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    try:
        syscall("seccomp", _SET_FILTER, _ALL_THREADS, ctypes.byref(_Program(len(steps), code)))
    except OSError:
        return False
    return True
