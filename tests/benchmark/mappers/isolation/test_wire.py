"""Frames between two processes: whole or refused."""

import os
import socket
import struct
import time

import pytest

from graftbench.benchmark.mappers.isolation import wire


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_frame_arrives_as_it_was_sent(ends, tmp_path):
    one, other = ends
    (tmp_path / "file").write_text("open")
    file = os.open(tmp_path / "file", os.O_RDONLY)
    wire.send(one, {"do": "fit"}, b"rows", files=[file])
    os.close(file)
    header, payload, (received,) = wire.receive(other, 4, with_files=True)
    assert (header, bytes(payload)) == ({"do": "fit"}, b"rows")
    with os.fdopen(received) as passed:
        assert passed.read() == "open"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (struct.pack("<IQ", 2, 5) + b"{}", "it sent 5 bytes, which is more"),
        (struct.pack("<IQ", 2**31, 0), "it sent 2147483648 bytes"),
        (struct.pack("<IQ", 2, 0) + b"[]", "no JSON object"),
        (struct.pack("<IQ", 4, 0) + b"\x80\x04N.", "no JSON"),  # a pickle
        (struct.pack("<IQ", 200_000, 0) + b"[" * 200_000, "no JSON"),
    ],
)
def test_what_is_no_frame_is_refused(ends, sent, told):
    one, other = ends
    other.settimeout(0.1)
    until = time.monotonic() + 5

    def waiting():
        assert time.monotonic() < until, "it waits for all of it"

    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
    one.sendall(sent)
    with pytest.raises(wire.BrokenError, match=told):
        wire.receive(other, 4, waiting)


def test_a_sender_that_is_gone_or_slow_is_not_waited_for(ends):
    one, other = ends
    other.settimeout(0.01)
    waited = []

    def waiting():
        waited.append(1)
        if len(waited) > 3:
            raise TimeoutError("over")

    one.sendall(b"\x02")  # a part of a frame
    with pytest.raises(TimeoutError, match="over"):
        wire.receive(other, 0, waiting)
    one.close()
    with pytest.raises(wire.EndedError):
        wire.receive(other, 0)
