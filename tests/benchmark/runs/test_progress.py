"""What a log file says of a run: where it is, how fast it is, and how long the rest takes."""

import re
import time
from dataclasses import dataclass
from io import StringIO

import pytest
from rich.console import Console

from graftbench.benchmark.runs import progress
from graftbench.benchmark.runs.executors.protocol import Failure, Job
from graftbench.benchmark.runs.progress import Bars, Step, following

SOON = 0.05  # in place of half a minute


@dataclass(frozen=True)
class Cell:
    name: str


@pytest.fixture
def log(monkeypatch):
    monkeypatch.setattr(progress, "_SILENT", SOON)
    return StringIO()


def bars(log, *names, terminal=False, **more):
    jobs = [Job(name, print, (), ()) for name in ("reference", *names)]
    console = Console(file=log, force_terminal=terminal, width=200)
    return Bars([Cell(name) for name in names], jobs, console, {"reference": "what both share"}, **more)


def lines(log, part, n=1):
    """The lines with a part, once there are so many."""
    until = time.monotonic() + 10
    while (found := [line for line in log.getvalue().splitlines() if part in line]) == [] or len(found) < n:
        assert time.monotonic() < until, log.getvalue()
        time.sleep(0.01)
    return found


def test_a_line_has_cell_what_done_of_how_many_speed_and_time_left(log):
    with bars(log, "one", "other") as shown:
        shown.progress("one", "native", 8, 128)
        time.sleep(0.02)
        shown.progress("one", "native", 40, 128)
        found = lines(log, "one: native")[0]
    where = r"0:\d\d one: native, 40 of 128, [\d.e+]+ per second, \d+:\d\d left; 0 of 2 cells done"
    assert re.fullmatch(where, found)


def test_a_silent_step_is_named_again_and_again(log):
    with bars(log, "one") as shown:
        shown.progress("one", "fit", 0, 0)
        assert lines(log, "one: fit; 0 of 1 cells done", 3)


def test_every_running_job_has_a_line_and_what_has_ended_none(log):
    with bars(log, "one", "other") as shown:
        shown.progress("reference", "native", 0, 8)
        shown.progress("one", "fit", 0, 0)
        assert lines(log, "what both share: native, 0 of 8;")
        assert lines(log, "one: fit")
        shown.ended("reference", None)
        shown.ended("one", Failure("failed", "no reason", ""))
        assert lines(log, "1 of 2 cells done")
        before = log.getvalue().count("one: fit")
        assert lines(log, "1 of 2 cells done", 3)
    assert log.getvalue().count("one: fit") == before
    assert "one: failed: no reason" in log.getvalue()


def test_a_step_that_is_done_is_not_told_again_while_the_next_one_is_silent(log):
    with bars(log, "one") as shown:
        shown.progress("one", "native", 1, 2)
        assert lines(log, "one: native, 1 of 2")
        shown.progress("one", "native", 2, 2)
        assert lines(log, "one: running; 0 of 1 cells done", 2)
    assert "2 of 2" not in log.getvalue()


def test_a_report_of_a_job_that_was_stopped_comes_too_late(log):
    with bars(log, "one", "other") as shown:
        shown.ended("one", Failure("timeout", "its time was over", ""))
        shown.progress("one", "native", 1, 2)
        assert lines(log, "1 of 2 cells done", 2)
    assert "one: native" not in log.getvalue()


def test_jobs_have_the_name_of_what_they_try(log):
    with bars(log, "here", "there", unit="sites") as shown:
        shown.progress("here", "native", 1, 2)
        assert lines(log, "here: native, 1 of 2; 0 of 2 sites done")
    assert "cells" not in log.getvalue()


def test_a_terminal_has_bars_and_no_such_lines(log):
    with bars(log, "one", terminal=True) as shown:
        shown.progress("one", "native", 8, 128)
        time.sleep(4 * SOON)
    assert "cells done" not in log.getvalue()


def test_what_was_there_before_makes_nothing_look_fast():
    step = Step("native", 100, 90)
    assert str(step) == "native, 90 of 100"
    step.started -= 10
    assert step.is_followed_by("native", 95, 100)
    assert re.fullmatch(r"native, 95 of 100, 0.5 per second, 0:10 left", str(step))
    assert not step.is_followed_by("mapped", 96, 100)
    assert not step.is_followed_by("native", 3, 100)


def test_other_commands_say_where_they_are(log):
    with following(Console(file=log, force_terminal=False, width=200)) as told:
        told("unsteered: mmlu", 0, 200)
        time.sleep(0.01)
        told("unsteered: mmlu", 20, 200)
        found = lines(log, "unsteered")[0]
    assert re.fullmatch(r"0:00 unsteered: mmlu, 20 of 200, [\d.e+]+ per second, 0:0\d left", found)


def test_other_commands_do_not_tell_a_step_again_either(log):
    with following(Console(file=log, force_terminal=False, width=200)) as told:
        told("unsteered: mmlu", 0, 2)
        told("unsteered: mmlu", 2, 2)
        assert lines(log, "running")
    assert "2 of 2" not in log.getvalue()
