"""Jobs on two nodes of Ray on this machine, of which one is killed."""

import importlib.util
import os
import threading
import time
from pathlib import Path

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors.protocol import Failure, Job, Needs
from graftbench.benchmark.runs.executors.ray import Ray
from graftbench.benchmark.runs.executors.worker import report
from tests.benchmark.runs.executors.recorder import Recorder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="graftbench[ray] is not installed"),
]


def double(n):
    report("doubling", n, 10)
    time.sleep(0.5)  # what a job that has ended was doing is not shown
    return 2 * n


def wrong():
    raise ValueError("a reason")


def dies(log):
    with log.open("a") as stream:
        stream.write("tried\n")
    os._exit(9)


def endless():
    time.sleep(1000)


def mistaken():
    raise UserError("mended like this")


def copied(file, first, second):
    """Write what a file holds into one folder, and its name into the other."""
    (first / "below").mkdir(parents=True)
    (first / "below" / "text").write_text(file.read_text())
    second.mkdir()
    (second / "name").write_text(file.name)
    return str(file)


def outlives(meeting):
    """Wait until a node was killed, and return the node that this one is."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    (meeting / f"{node}-{os.getpid()}").touch()
    while not (meeting / "killed").exists():
        time.sleep(0.05)
    return node


class Two:
    """Two nodes with a core each, and variables of their own; `kill` ends the second as a power cut would."""

    def __init__(self, first=None, second=None):
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "include_dashboard": False, "env_vars": first}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.second = self.cluster.add_node(num_cpus=1, env_vars=second)

    def run(self, place, jobs, recorder=None, threads=1):
        return Ray(self.cluster.address, threads, None, str(place)).run(jobs, recorder or Recorder())

    def kill(self):
        self.cluster.remove_node(self.second, allow_graceful=False)


@pytest.fixture(scope="module")
def two():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        found = Two()
        yield found
        found.cluster.shutdown()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("ray")


@pytest.fixture(scope="module")
def outcome(two, home):
    recorder, file = Recorder(), home / "mine.py"
    file.write_text("a mapper")
    jobs = [
        Job("late", double, (3,), after=("early",)),
        Job("early", double, (2,)),
        Job("wrong", wrong, ()),
        Job("after wrong", double, (1,), after=("wrong",)),
        Job("copied", copied, (), files=(file,), folders=(home / "first", home / "second")),
        *(Job(f"survivor {i}", outlives, (meeting_in(home),)) for i in range(2)),
        Job("dies", dies, (home / "log",)),  # a process that ends is replaced, which takes seconds
        Job("endless", endless, (), timeout=1.0),
    ]
    killer = threading.Thread(target=kill_one, args=(two, meeting_in(home)), daemon=True)
    killer.start()
    found = two.run(home / "work", jobs, recorder)
    killer.join()
    return found, recorder


def meeting_in(home):
    meeting = home / "meeting"
    meeting.mkdir(exist_ok=True)
    return meeting


def kill_one(two, meeting):
    while len(list(meeting.iterdir())) < 2:
        time.sleep(0.05)
    two.kill()
    (meeting / "killed").touch()


def test_jobs_run_in_order_and_report_their_progress(outcome):
    found, recorder = outcome
    assert [found[name] for name in ("early", "late")] == [4, 6]
    assert recorder.order.index("early") < recorder.order.index("late")
    assert ("late", "doubling", 3, 10) in recorder.reports
    assert sorted(recorder.order) == sorted(found)


def test_a_failed_job_has_its_traceback_and_so_has_the_job_that_comes_after_it(outcome):
    found = outcome[0]
    assert found["wrong"].reason == "ValueError: a reason"
    assert "in wrong" in found["wrong"].trace
    assert found["after wrong"] == found["wrong"]


def test_a_process_that_dies_by_itself_is_not_tried_again(outcome, home):
    assert isinstance(outcome[0]["dies"], Failure)
    assert "its process ended" in outcome[0]["dies"].reason
    assert (home / "log").read_text() == "tried\n"


def test_a_job_whose_time_is_over_is_stopped(outcome):
    assert outcome[0]["endless"].status == "timeout"


def test_files_go_there_and_folders_come_back(outcome, home):
    assert (home / "first" / "below" / "text").read_text() == "a mapper"
    assert (home / "second" / "name").read_text() == "mine.py"
    assert Path(outcome[0]["copied"]) != home / "mine.py"


def test_a_job_whose_node_dies_runs_again_on_another(outcome, home):
    met = {path.name.partition("-")[0] for path in meeting_in(home).iterdir()} - {"killed"}
    survivors = {outcome[0][f"survivor {i}"] for i in range(2)}
    assert len(met) == 2
    assert len(survivors) == 1
    assert survivors < met


@pytest.mark.cluster
def test_a_users_mistake_ends_everything(outcome, two, home):
    with pytest.raises(UserError, match="mended like this"):
        two.run(home / "work", [Job("m", mistaken, ()), Job("e", endless, ())])


def test_a_node_that_does_not_see_the_cache_is_told_before_anything_runs(outcome, two, home, monkeypatch):
    monkeypatch.setattr("graftbench.benchmark.runs.executors.nodes._leave", lambda *_: None)
    with pytest.raises(UserError, match=r"The node [\d.]+ does not see the cache .*work of this machine: set GRAFTB"):
        two.run(home / "work", [Job("copied", double, (1,))])


def test_a_node_with_other_code_is_told_before_anything_runs(outcome, two, home, monkeypatch):
    versions = {"graftbench": "0.1.0", "torch": "1.0"}
    monkeypatch.setattr("graftbench.benchmark.runs.executors.nodes.versions", lambda: versions)
    with pytest.raises(UserError, match=r"The node [\d.]+ has torch .* and this machine 1\.0: install the same"):
        two.run(home / "work", [Job("copied", double, (1,))])


def test_a_job_that_no_node_has_room_for_is_told(outcome, two, home, monkeypatch):
    monkeypatch.setattr("graftbench.benchmark.runs.executors.ray_cluster.PATIENCE", 0.0)
    with pytest.raises(UserError, match=r"No node of the cluster has 1 CPU, 2 GPU and 5\.0 GiB of memory, which large"):
        two.run(home / "work", [Job("large", double, (1,), needs=Needs(1, 2.0, 5 * 2**30))])


def test_a_cluster_that_is_not_there_is_one_sentence(home):
    with pytest.raises(UserError, match="There is no cluster at 127.0.0.1:1"):
        Ray("127.0.0.1:1", 1, None, str(home)).run([Job("j", double, (1,))], Recorder())
