from types import SimpleNamespace

from graftbench.benchmark.runs.executors.protocol import Job
from graftbench.benchmark.runs.executors.ray_scheduling import ATTEMPTS, Scheduling
from graftbench.benchmark.runs.executors.ray_task import Reports, Returned
from graftbench.benchmark.runs.executors.schedule import Schedule
from tests.benchmark.runs.executors.recorder import Recorder


class NodeDiedError(Exception):
    pass


class CrashedError(Exception):
    pass


ERRORS = SimpleNamespace(
    RayError=(NodeDiedError, CrashedError),
    NodeDiedError=NodeDiedError,
    ObjectLostError=NodeDiedError,
    WorkerCrashedError=CrashedError,
)


class Remote:
    """What Ray makes of a function or a class: here it is called at once."""

    def __init__(self, call):
        self._call = call

    def remote(self, *arguments):
        return self._call(*arguments)

    def options(self, **_):
        return self


class Cloud:
    """Ray with nodes on which every task ends as `end` says, by the name of its job."""

    exceptions = ERRORS

    def __init__(self, end):
        self._end, self.tried = end, []

    def put(self, value):
        return value

    def remote(self, **_):
        return lambda made: Remote(self._actor if made is Reports else self._task)

    def _actor(self):
        reports = Reports()
        return SimpleNamespace(take=Remote(reports.take))

    def _task(self, parcel, setup, reports):
        self.tried.append(parcel.job.name)
        return parcel.job.name, len(self.tried)

    def wait(self, refs, timeout):
        return refs[:1], refs[1:]

    def get(self, ref):
        return self._end(ref[0]) if isinstance(ref[0], str) else ref


def run(end, *names):
    cloud = Cloud(end)
    cluster = SimpleNamespace(here=lambda: None, is_full=lambda _: False, room=lambda _: 1, is_alive=lambda _: True)
    jobs = [Job(name, print, ()) for name in names]
    found = Scheduling(cloud, cluster, None, Schedule(jobs, Recorder()), Recorder()).run()
    return found, cloud.tried


def test_a_job_that_kills_every_node_is_given_up():
    def end(name):
        if name == "killer":
            raise NodeDiedError("gone")
        return Returned(f"{name} is done")

    found, tried = run(end, "killer", "other")
    assert tried == ["killer"] * ATTEMPTS + ["other"]
    assert found["killer"].reason == f"{ATTEMPTS} nodes died while it ran on them"
    assert found["other"] == "other is done"


def test_a_job_whose_process_ends_on_a_sound_node_is_not_tried_again():
    def end(name):
        raise CrashedError("the worker died\nand more")

    found, tried = run(end, "crasher")
    assert tried == ["crasher"]
    assert (found["crasher"].status, found["crasher"].reason) == ("failed", "its process ended: the worker died")
