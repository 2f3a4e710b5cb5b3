"""Mappers that do what they should not, as the files that somebody submits."""

TRIES = """
import ctypes
import os
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import torch


def environment(mapper):
    return os.environ["OPENAI_API_KEY"]

def network(mapper):
    socket.create_connection(("127.0.0.1", mapper.port), timeout=2).close()

def local_socket(mapper):
    socket.socketpair()

def home(mapper):
    return os.listdir(mapper.home)

def cache(mapper):
    return (Path(mapper.home) / "cache" / "states.safetensors").read_bytes()

def weights(mapper):
    return (Path(mapper.package) / "benchmark" / "zoo" / "weights" / "llama-s-hate" / "config.json").read_bytes()

def zoo(mapper):
    import graftbench.benchmark.zoo.world.prompts

def test_prompts(mapper):
    import graftbench.tasks.datasets

def outside(mapper):
    (Path(mapper.home) / "written").write_text("here")

def passwords(mapper):
    return Path("/etc/passwd").read_text()

def environment_of_others(mapper):
    for place in Path("/proc").glob("[0-9]*"):
        if b"OPENAI_API_KEY" in (place / "environ").read_bytes():
            return "found"
    raise OSError

def fork(mapper):
    if os.fork() == 0:
        os._exit(0)
    os.wait()

def program(mapper):
    subprocess.run(["/bin/true"], check=True)

def parent(mapper):
    os.kill(os.getppid(), 9)

def everybody(mapper):
    os.kill(-1, 9)

def outlive(mapper):
    if ctypes.CDLL(None).prctl(1, 0, 0, 0, 0):
        raise OSError

def namespace(mapper):
    if ctypes.CDLL(None).unshare(0x10000000):
        raise OSError

def memory_file(mapper):
    os.memfd_create("more")

def large_file(mapper):
    with open("large", "wb") as file:
        file.truncate(2**31)

def many_files(mapper):
    return [open(os.devnull) for _ in range(1000)]


TRIED = (environment, network, local_socket, home, cache, weights, zoo, test_prompts, outside, passwords,
         environment_of_others, fork, program, parent, everybody, outlive, namespace, memory_file, large_file,
         many_files)


@dataclass
class Mine:
    name = "hostile"
    home: str = ""
    package: str = ""
    port: int = 0
    harmless: bool = False  # in this process: leave out what would harm it
    careful: bool = False  # where nothing would stop a signal
    weight: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, pairs, *, seed):
        self.weight = torch.ones(pairs.d_source, pairs.d_target)
        chosen = TRIED[:9] if self.harmless else TRIED
        if self.careful:
            chosen = [each for each in chosen if each not in (parent, everybody)]
        return {each.__name__: self._try(each) for each in chosen}

    def _try(self, what):
        try:
            what(self)
        except (OSError, KeyError, ImportError) as error:
            return type(error).__name__
        return "done"

    def __call__(self, source):
        return source @ self.weight
"""

MINE = """
import os
import pickle
import sys
import time
from dataclasses import dataclass, field

import torch


{before}

@dataclass
class Mine:
    name = "mine"
    note: str = ""
    weight: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, pairs, *, seed):
        self.weight = torch.ones(pairs.d_source, pairs.d_target)
        {fit}

    def __call__(self, source):
        {call}
        return source @ self.weight
"""


def mine(fit: str = "pass", call: str = "pass", before: str = "") -> str:
    """A mapper that does something in its fit, when it is called, or when it is imported."""
    return MINE.format(fit=fit, call=call, before=before)
