import os
import time

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.local import run_jobs
from graftbench.benchmark.runs.executors.protocol import Failure, Job
from graftbench.benchmark.runs.executors.worker import tell

pytestmark = pytest.mark.slow


def double(n):
    tell("cell", "doubling", n, 10)
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
    heard, order = [], []
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
    found = run_jobs(jobs, 2, 1, heard.append, lambda name, _: order.append(name))
    return found, heard, order


def test_jobs_run_in_order_and_tell_how_far_they_are(outcome):
    found, heard, order = outcome
    assert [found[name] for name in ("early", "late", "last")] == [4, 6, 8]
    assert order.index("early") < order.index("late")
    assert ("cell", "doubling", 3, 10) in heard
    assert sorted(order) == sorted(found)


def test_a_job_that_fails_is_told_with_its_traceback_and_so_is_what_hangs_on_it(outcome):
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


def test_a_users_mistake_ends_everything():
    with pytest.raises(UserError, match="mended like this"):
        run_jobs([Job("m", mistaken, ()), Job("e", endless, ())], 2, 1, lambda _: None, lambda *_: None)
