"""Frames of a JSON header and raw bytes over a socket, between graftbench and a submission's process: no pickle."""

import json
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

MAX_HEADER = 2**20  # bytes
MAX_FILES = 16  # that come with a frame
_SIZES = struct.Struct("<IQ")  # bytes of the header and of the payload

Header = dict[str, Any]
Waiting = Callable[[], None]  # called between two parts, and while none comes; raises to give up


class EndedError(Exception):
    """The other side is gone."""


class BrokenError(Exception):
    """The other side sent no frame, or too large a one."""


def _never() -> None:
    """Wait on."""


def send(
    sock: socket.socket,
    header: Mapping[str, Any],
    payload: "bytes | memoryview" = b"",
    files: Sequence[int] = (),
    waiting: Waiting = _never,
) -> None:
    """Send a frame, with open files where it goes to another process of ours; EndedError where nobody is there."""
    words = json.dumps(header).encode()
    start = _SIZES.pack(len(words), len(payload)) + words
    try:
        n = socket.send_fds(sock, [start], files) if files else 0
        for part in (memoryview(start)[n:], memoryview(payload)):
            _send_all(sock, part, waiting)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise EndedError from error


def _send_all(sock: socket.socket, part: memoryview, waiting: Waiting) -> None:
    while part:
        with suppress(TimeoutError):
            part = part[sock.send(part) :]
        waiting()


def receive(
    sock: socket.socket, max_payload: int, waiting: Waiting = _never, *, with_files: bool = False
) -> tuple[Header, bytearray, list[int]]:
    """Receive a frame; EndedError where the other side is gone, BrokenError where it sends something else."""
    files: list[int] = []
    start = _read(sock, _SIZES.size, waiting, files if with_files else None)
    n_header, n_payload = _SIZES.unpack(start)
    if n_header > MAX_HEADER or n_payload > max_payload:
        raise BrokenError(f"it sent {max(n_header, n_payload)} bytes, which is more than was asked for")
    try:
        header = json.loads(_read(sock, n_header, waiting))
    except (ValueError, RecursionError) as error:
        raise BrokenError("it sent something that is no JSON") from error
    if not isinstance(header, dict):
        raise BrokenError("it sent something that is no JSON object")
    return header, _read(sock, n_payload, waiting), files


def _read(sock: socket.socket, n: int, waiting: Waiting, files: list[int] | None = None) -> bytearray:
    buffer = bytearray(n)
    view, got = memoryview(buffer), 0
    while got < n:
        waiting()
        try:
            if files is not None and not got:
                data, some, _, _ = socket.recv_fds(sock, n, MAX_FILES)
                view[: len(data)] = data
                files += some
                k = len(data)
            else:
                k = sock.recv_into(view[got:])
        except TimeoutError:
            continue
        except ConnectionResetError as error:
            raise EndedError from error
        if not k:
            raise EndedError
        got += k
    return buffer
