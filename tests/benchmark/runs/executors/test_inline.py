import warnings

import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.inline import Inline
from graftbench.benchmark.runs.executors.protocol import Failure, Job
from graftbench.benchmark.runs.executors.worker import report
from tests.benchmark.runs.executors.recorder import Recorder


def threads():
    report("counting", 1, 2)
    return torch.get_num_threads()


def warned():
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    return "went on"


def wrong():
    raise ValueError("a reason")


def mistaken():
    raise UserError("mended like this")


def test_jobs_run_here_with_the_threads_of_a_worker_and_report_their_progress():
    before, recorder = torch.get_num_threads(), Recorder()
    results = Inline(threads=3).run([Job("count", threads, ())], recorder)
    assert results == {"count": 3}
    assert recorder.reports == [("count", "counting", 1, 2)]
    assert recorder.order == ["count"]
    assert torch.get_num_threads() == before


def test_a_failed_job_fails_those_after_it_and_no_other():
    jobs = [Job("wrong", wrong, ()), Job("after", threads, (), after=("wrong",)), Job("other", threads, ())]
    results = Inline(threads=1).run(jobs, Recorder())
    assert isinstance(results["wrong"], Failure)
    assert results["after"] == results["wrong"]
    assert results["other"] == 1


def test_warnings_are_no_errors_in_a_job_even_under_pytest():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Inline(threads=1).run([Job("warned", warned, ())], Recorder()) == {"warned": "went on"}


def test_a_users_mistake_is_passed_on_and_reports_stop():
    recorder = Recorder()
    with pytest.raises(UserError, match="mended like this"):
        Inline(threads=1).run([Job("mistaken", mistaken, ())], recorder)
    report("unheard")
    assert recorder.reports == []
