from types import SimpleNamespace

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.executors import ray_cluster
from graftbench.benchmark.runs.executors.protocol import Job, Needs
from graftbench.benchmark.runs.executors.ray_cluster import Cluster

GIB = 2**30


def cluster(*resources, workers=None):
    nodes = [{"Alive": True, "Resources": each} for each in resources]
    return Cluster(SimpleNamespace(nodes=lambda: [*nodes, {"Alive": False, "Resources": {"CPU": 99}}]), workers)


def test_room_is_what_the_scarcest_thing_on_each_node_allows():
    nodes = cluster({"CPU": 8, "memory": 5 * GIB}, {"CPU": 3, "memory": 100 * GIB})
    assert nodes.room(Needs(cpus=1, memory=2 * GIB)) == 2 + 3
    assert nodes.room(Needs(cpus=4)) == 2


def test_shares_of_a_gpu_add_up():
    assert cluster({"CPU": 64, "GPU": 2}).room(Needs(gpus=0.1)) == 20
    assert cluster({"CPU": 64}).room(Needs(gpus=0.1)) == 0


def test_no_more_jobs_run_than_were_asked_for():
    assert cluster({"CPU": 64}, workers=5).room(Needs()) == 5


def test_a_job_that_no_node_has_room_for_is_told(monkeypatch):
    monkeypatch.setattr(ray_cluster, "PATIENCE", 0.0)
    jobs = [Job("small", print, ()), Job("large", print, (), needs=Needs(2, 0.5, 5 * GIB))]
    told = r"No node of the cluster has 2 CPUs, 0\.5 GPU and 5\.0 GiB of memory, which large needs: start a node that"
    with pytest.raises(UserError, match=told):
        cluster({"CPU": 8}).check_room(jobs)
    cluster({"CPU": 8, "GPU": 1, "memory": 8 * GIB}).check_room(jobs)
