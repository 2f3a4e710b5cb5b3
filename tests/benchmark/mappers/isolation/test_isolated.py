"""An isolated mapper computes what it computes in this process, bit for bit."""

import inspect
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from graftbench.benchmark.core.store import Store
from graftbench.benchmark.interventions.vectors import mapped_vector
from graftbench.benchmark.mappers.builtin.closed_forms import Ridge
from graftbench.benchmark.mappers.checking import planted, write
from graftbench.benchmark.mappers.fitting import fit_mapper
from graftbench.benchmark.mappers.host import NOT_ISOLATED, CheckedMap
from graftbench.benchmark.mappers.hosts import isolation_of
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.mappers.isolation import sandbox
from graftbench.benchmark.mappers.isolation.limits import Limits
from graftbench.benchmark.mappers.isolation.sandbox import Sandbox, SandboxError, words_of

TRAINED = """
import torch
from torch import nn

class Mine(nn.Module):
    name = "trained"

    def __init__(self, d_source: int, d_target: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(d_source, 16), nn.GELU(), nn.Linear(16, d_target))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def fit(self, pairs, *, seed):
        self.layers[0].reset_parameters()  # by the seed, which is set before a fit and after a constructor
        self.layers[2].reset_parameters()
        optimizer = torch.optim.Adam(self.parameters(), 1e-2)
        for source, target in pairs.batches(256, seed):
            optimizer.zero_grad()
            loss = (self.layers(source) - target).square().mean()
            loss.backward()
            optimizer.step()
            self.steps += 1
        return {"loss": loss.item()}

    def forward(self, source):
        return self.layers(source)
"""


@pytest.fixture
def pairs(tmp_path):
    write(planted(), tmp_path / "pairs")
    return tmp_path / "pairs"


def ridge_source():
    """Everything in the file of `ridge`, as somebody would copy it."""
    return Path(inspect.getsourcefile(Ridge)).read_text()


@pytest.mark.parametrize("code", [TRAINED, None], ids=["trained", "ridge"])
def test_bits_are_the_same_isolated_and_not(tmp_path, pairs, code):
    file = tmp_path / "mine.py"
    file.write_text(code or ridge_source())
    info = describe(f"{file}:{'Mine' if code else 'Ridge'}")
    here, there = (
        fit_mapper(Store(tmp_path / kind), info, pairs, "data", 3, "cpu", kind)
        for kind in (NOT_ISOLATED, isolation_of(info))
    )
    assert (here.folder / "mapper.safetensors").read_bytes() == (there.folder / "mapper.safetensors").read_bytes()
    assert (here.folder / "mapper.json").read_bytes() == (there.folder / "mapper.json").read_bytes()
    assert (here.record, here.identity) == (there.record, there.identity)
    for shape in ((24,), (5, 24), (2, 3, 24)):
        rows = torch.randn(shape)
        with torch.no_grad():
            assert torch.equal(here.host.carry(rows), there.host.carry(rows))
    states = torch.randn(2, 6, 4, 24)
    for rule in ("difference", "linear", "jacobian", "direct"):
        one, other = (mapped_vector(CheckedMap(fit.host, 32), *states, rule) for fit in (here, there))
        assert torch.equal(one, other)


def test_a_fit_is_taken_from_the_cache_and_carried_in_isolation(tmp_path, pairs):
    file = tmp_path / "mine.py"
    file.write_text(TRAINED)
    info = describe(f"{file}:Mine")
    first, again = (fit_mapper(Store(tmp_path), info, pairs, "data", 0, "cpu", isolation_of(info)) for _ in range(2))
    assert first.seconds == again.seconds
    rows = torch.randn(5, 24)
    assert torch.equal(first.host.carry(rows), again.host.carry(rows))


def test_what_comes_with_graftbench_runs_in_this_process():
    assert isolation_of(describe("ridge")) is None


def test_a_machine_that_hides_nothing_says_so_once(monkeypatch, capsys, tmp_path):
    from graftbench.benchmark.mappers import hosts

    (tmp_path / "mine.py").write_text(TRAINED)
    info = describe(f"{tmp_path / 'mine.py'}:Mine")
    monkeypatch.setattr(hosts, "walls", lambda: ("rlimits",))
    hosts._warn.cache_clear()
    assert [isolation_of(info), isolation_of(info)] == ["rlimits", "rlimits"]
    assert capsys.readouterr().err.count("cannot keep a mapper's code apart") == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_processes_end_with_the_one_that_started_them():
    code = (
        "import os, time\n"
        "from graftbench.benchmark.mappers.isolation.sandbox import *\n"
        "from graftbench.benchmark.mappers.isolation.limits import Limits\n"
        "wall = walls()[0] if walls()[0] in ('bwrap', 'namespaces') else ''\n"
        "s = Sandbox(wall, view_of(None, on_gpu=False), Limits(), [])\n"
        "print(s._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        pid = int(run.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        run.kill()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}/exe").exists()


def test_a_process_that_ends_leaves_no_sandbox_open():
    code = (
        "from graftbench.benchmark.mappers.isolation.sandbox import *\n"
        "from graftbench.benchmark.mappers.isolation import sandbox\n"
        "from graftbench.benchmark.mappers.isolation.limits import Limits\n"
        "wall = walls()[0] if walls()[0] in ('bwrap', 'namespaces') else ''\n"
        "s = sandbox._sandboxes['one'] = Sandbox(wall, view_of(None, on_gpu=False), Limits(), [])\n"
        "s.fork(1, []).data.close()\n"
        "print(s._process.pid, flush=True)\n"
    )
    run = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=True)
    assert "ResourceWarning" not in run.stderr
    assert not Path(f"/proc/{run.stdout.strip()}").exists()


def test_a_sandbox_that_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr(sandbox, "_BOOT", "raise SystemExit('not on this machine')")
    with pytest.raises(SandboxError, match="is gone: not on this machine"):
        Sandbox("", sandbox.view_of(None, on_gpu=False), Limits(), []).fork(1, [])


def test_how_a_process_ended_in_words():
    assert words_of(-9, Limits()) == "its process was ended by SIGKILL (out of memory?)"
    assert words_of(3, Limits()) == "its process ended with status 3"
    assert words_of(None, Limits()) == "its process broke the connection"
