import os
import time

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.local import Local, _at_once
from graftbench.benchmark.runs.executors.protocol import Failure, Job
from graftbench.benchmark.runs.executors.worker import report
from tests.benchmark.runs.executors.recorder import Recorder

pytestmark = pytest.mark.slow


def double(n):
    report("doubling", n, 10)
    return 2 * n


def wrong():
    raise ValueError("a reason")


def out_of_patience():
    raise TimeoutError("my own")


def mistaken():
    raise UserError("mended like this")


def endless():
    while True:
        time.sleep(0.1)


def dies():
    os._exit(9)


def killed():
    os.kill(os.getpid(), 9)


@pytest.fixture(scope="module")
def outcome():
    recorder = Recorder()
    jobs = [
        Job("late", double, (3,), after=("early",)),
        Job("early", double, (2,)),
        Job("wrong", wrong, ()),
        Job("after wrong", double, (1,), after=("wrong",)),
        Job("patience", out_of_patience, ()),
        Job("endless", endless, (), timeout=1.0),
        Job("dies", dies, ()),
        Job("killed", killed, ()),
        Job("last", double, (4,)),
    ]
    return Local(workers=2, threads=1).run(jobs, recorder), recorder


def test_jobs_run_in_order_and_report_their_progress(outcome):
    found, recorder = outcome
    assert [found[name] for name in ("early", "late", "last")] == [4, 6, 8]
    assert recorder.order.index("early") < recorder.order.index("late")
    assert ("late", "doubling", 3, 10) in recorder.reports
    assert sorted(recorder.order) == sorted(found)


def test_a_failed_job_has_its_traceback_and_so_has_the_job_that_comes_after_it(outcome):
    found = outcome[0]
    assert found["wrong"].status == "failed"
    assert found["wrong"].reason == "ValueError: a reason"
    assert "in wrong" in found["wrong"].trace
    assert found["after wrong"] == found["wrong"]


def test_a_job_whose_time_is_over_is_stopped(outcome):
    assert outcome[0]["endless"].status == "timeout"


def test_a_job_that_raises_a_timeout_of_its_own_has_failed(outcome):
    assert outcome[0]["patience"].status == "failed"
    assert outcome[0]["patience"].reason == "TimeoutError: my own"


def test_a_process_that_dies_takes_only_its_own_job_along(outcome):
    assert isinstance(outcome[0]["dies"], Failure)
    assert "status 9" in outcome[0]["dies"].reason
    assert "SIGKILL" in outcome[0]["killed"].reason


def test_no_process_is_started_that_would_only_wait():
    first = Job("first", double, (1,))
    second, third = (Job(name, double, (1,), after=("first",)) for name in ("second", "third"))
    assert _at_once([first, second]) == 1
    assert _at_once([first, second, third]) == 2
    assert _at_once([first, second, third, Job("last", double, (1,), after=("second", "third"))]) == 2


def test_a_free_worker_takes_the_first_job_that_waits_for_nothing():
    recorder = Recorder()
    jobs = [
        Job("first", double, (1,)),
        Job("its cell", double, (1,), after=("first",)),
        Job("second", double, (1,)),
        Job("third", double, (1,)),
    ]
    Local(workers=1, threads=1).run(jobs, recorder)
    assert recorder.order == ["first", "its cell", "second", "third"]


def test_a_users_mistake_ends_everything():
    with pytest.raises(UserError, match="mended like this"):
        Local(2, 1).run([Job("m", mistaken, ()), Job("e", endless, ())], Recorder())
