"""A run that is asked to end (SIGTERM) ends its workers, gives back what they shared, and goes on when asked again."""

import os
import signal
import subprocess
import sys
import time

import pytest

from graftbench.benchmark.models.shipped import WEIGHTS
from tests.faults.commands import CASES, results
from tests.faults.killing import environment

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
CASE = CASES["score, two workers"]


def graftbench(folder, *, stop_when=lambda: False):
    """A process as a shell starts it, its status and what it printed; SIGTERM goes to it alone when it is time."""
    command = [sys.executable, "-m", "graftbench", *CASE.arguments]
    own = os.environ | environment(folder)
    with (folder / "tmp" / "said").open("w+") as said:
        running = subprocess.Popen(command, cwd=folder, env=own, stdout=said, stderr=said, start_new_session=True)
        while running.poll() is None and not stop_when():
            time.sleep(0.01)
        running.terminate()
        status = running.wait(60)
        assert is_over(running.pid)
        said.seek(0)
        return status, said.read()


def is_over(group):
    """Whether nothing of a group of processes is left, after a while in which it may end."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("when", ["starting", "working", "gathering"])
def test_a_run_that_is_asked_to_end_does_so_in_order_and_goes_on(tmp_path, when):
    CASE.prepare(tmp_path)
    (tmp_path / "data").mkdir()
    seen = {
        "starting": tmp_path / "run" / ".lock",
        "working": tmp_path / "cache" / "work" / "completions",
        "gathering": tmp_path / "run" / "parts",
    }[when]
    status, said = graftbench(tmp_path, stop_when=seen.exists)
    assert status == 143, said
    assert said.count("graftbench: stopped; the same command goes on from here.") == 1, said
    for word in ("resource_tracker", "leaked", "Traceback", "Exception ignored"):
        assert word not in said
    status, said = graftbench(tmp_path)
    assert status == 0, said
    assert not [name for name in results(tmp_path) if name.startswith("tmp/") and name not in ("tmp/", "tmp/said")]
    assert not [name for name in results(tmp_path) if "unfinished" in name]


def test_a_signal_while_a_group_is_stopped_is_no_failure_of_a_cell(tmp_path):
    """A terminal that is closed, or a scheduler, sends the signal to workers too."""
    CASE.prepare(tmp_path)
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-m", "graftbench", *CASE.arguments]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | environment(tmp_path), stderr=subprocess.PIPE, start_new_session=True
    )
    while running.poll() is None and not (tmp_path / "cache" / "work" / "completions").exists():
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 143, said
    assert b"Traceback" not in said
    assert not (tmp_path / "run" / "entry.json").exists()
    assert is_over(running.pid)
