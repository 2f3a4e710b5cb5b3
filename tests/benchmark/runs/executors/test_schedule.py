from graftbench.benchmark.runs.executors.protocol import Failure, Job
from graftbench.benchmark.runs.executors.schedule import Schedule
from tests.benchmark.runs.executors.recorder import Recorder

JOBS = [Job("cell", print, (), after=("reference",)), Job("reference", print, ()), Job("other", print, ())]


def test_the_first_job_that_waits_for_nothing_is_taken():
    schedule = Schedule(JOBS, Recorder())
    assert [schedule.take().name, schedule.take().name, schedule.take()] == ["reference", "other", None]
    schedule.end("reference", 1)
    assert schedule.take().name == "cell"
    assert not schedule.waiting


def test_a_job_after_a_failed_one_ends_with_it():
    recorder, failure = Recorder(), Failure("failed", "why", "")
    schedule = Schedule(JOBS, recorder)
    schedule.take()
    schedule.end("reference", failure)
    assert schedule.take().name == "other"
    assert schedule.results == {"reference": failure, "cell": failure}
    assert recorder.order == ["reference", "cell"]


def test_a_job_after_a_failed_one_waits_for_no_other():
    recorder, failure = Recorder(), Failure("failed", "why", "")
    both = Job("both", print, (), after=("reference", "other"))
    schedule = Schedule([*JOBS[1:], both], recorder)
    assert [schedule.take().name, schedule.take().name] == ["reference", "other"]
    schedule.end("reference", failure)
    assert schedule.take() is None
    assert schedule.results == {"reference": failure, "both": failure}


def test_a_job_that_is_put_back_comes_next():
    schedule = Schedule(JOBS, Recorder())
    schedule.put_back(schedule.take())
    assert schedule.take().name == "reference"
