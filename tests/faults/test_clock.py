"""A clock that somebody sets: durations and limits of time go by another one."""

import itertools
import json
import time

import pytest

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.checking import planted, write
from graftbench.benchmark.mappers.hosts import host_of, isolation_of
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.runs.executors.local import Local
from graftbench.benchmark.runs.executors.protocol import Job
from graftbench.cli.main import main
from graftbench.judges.llm.reply_cache import ReplyCache
from graftbench.judges.llm.retries import Deadline
from graftbench.judges.llm.spending import Prices, Spending
from tests.benchmark.mappers.isolation.hostile import mine
from tests.benchmark.runs.executors.recorder import Recorder
from tests.faults.commands import CASES
from tests.in_process import in_process

HOUR = 3600.0


@pytest.fixture
def jumping(monkeypatch):
    """The time of day goes an hour forth and two back, with every look at it."""
    now, jumps = time.time(), itertools.cycle([HOUR, -2 * HOUR, 0.0])
    monkeypatch.setattr(time, "time", lambda: now + next(jumps))


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_recorded_times_are_those_that_passed(tmp_path, monkeypatch, jumping):
    CASES["score, one worker"].prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    started = time.monotonic()
    with in_process():
        assert main(CASES["score, one worker"].arguments) == 0
    passed = time.monotonic() - started
    timings = json.loads((tmp_path / "run" / "timings.json").read_text())
    seconds = [timings["run"]["total"], *timings["references"].values()]
    seconds += [each for cell in timings["cells"].values() for each in cell.values()]
    assert all(0 <= each <= passed for each in seconds), seconds


def nap():
    time.sleep(0.3)
    return "rested"


@pytest.mark.slow
def test_a_cell_has_its_time_whatever_the_clock_says(jumping):
    jobs = [Job("nap", nap, (), timeout=60.0), Job("endless", time.sleep, (HOUR,), timeout=0.5)]
    found = Local(workers=2, threads=1).run(jobs, Recorder())
    assert found["nap"] == "rested"
    assert found["endless"].status == "timeout"


def test_a_question_has_its_time_whatever_the_clock_says(jumping):
    deadline = Deadline(60.0)
    left = [deadline.left for _ in range(4)]
    assert all(59 < each <= 60 for each in left), left


def test_a_fit_in_a_process_of_its_own_has_its_time_whatever_the_clock_says(tmp_path, jumping):
    write(planted(), tmp_path / "pairs")
    (tmp_path / "mine.py").write_text(mine("time.sleep(1.2)"))
    info = describe(f"{tmp_path / 'mine.py'}:Mine")
    host, started = host_of(info, "cpu", isolation_of(info)), time.monotonic()
    facts = host.fit(tmp_path / "pairs", 0)
    assert 1 < facts.seconds <= time.monotonic() - started


def test_a_fit_in_this_process_has_the_seconds_that_passed(tmp_path, jumping):
    write(planted(), tmp_path / "pairs")
    started = time.monotonic()
    facts = host_of(describe("ridge"), "cpu", None).fit(tmp_path / "pairs", 0)
    assert 0 <= facts.seconds <= time.monotonic() - started


def test_a_budget_of_judges_holds_whatever_the_clock_says(tmp_path, jumping):
    spending = Spending(ReplyCache(tmp_path / "replies"), Prices(1.0, 1.0), Budget("run", dollars=1.0))
    for _ in range(3):
        with spending.reserved(0.3, 60.0):
            pass  # the answer does not come: it may have been charged for
    with pytest.raises(UserError, match="budget of \\$1 is spent"), spending.reserved(0.3, 60.0):
        pass
