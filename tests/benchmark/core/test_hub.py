import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from datasets import config
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError

from graftbench.benchmark.core.hub import NO_HUB, asked_once, hub_answers, why_not


@pytest.fixture(autouse=True)
def online(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", False)


@pytest.fixture
def nobody(monkeypatch):
    """An address at which nobody listens is that of the Hub."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        yield


def test_a_hub_that_is_not_there_is_asked_once_and_left_alone_until_the_end(nobody):
    with asked_once():
        assert (constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE) == (True, True)
    assert (constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE) == (False, False)


def test_a_hub_that_refuses_answers(monkeypatch):
    class Refusing(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(403)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.handle_request, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    assert hub_answers()
    server.server_close()


def test_a_reason_has_no_word_of_the_client():
    assert why_not(LocalEntryNotFoundError("Got: ConnectError: [Errno -2]"), "model") == NO_HUB
