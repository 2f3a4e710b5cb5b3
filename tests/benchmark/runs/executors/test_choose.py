import sys

import pytest
import torch

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.runs.context import Settings
from graftbench.benchmark.runs.executors.choose import Where
from graftbench.benchmark.runs.executors.inline import Inline
from graftbench.benchmark.runs.executors.local import Local
from graftbench.benchmark.runs.executors.protocol import Job
from graftbench.benchmark.runs.executors.ray import Ray
from tests.benchmark.runs.executors.recorder import Recorder


def settings(device="cpu", cache="/cache", **budget):
    return Settings("{}", 256, device, cache, budget=Budget("run", **budget))


def test_two_cells_run_at_a_time_on_this_machine_where_nothing_is_said():
    assert Where().executor_for(settings()) == Local(workers=2, threads=1)
    assert Where(workers=5).executor_for(settings()) == Local(workers=5, threads=1)


def test_a_gpu_of_this_machine_is_not_shared():
    assert Where(workers=5).executor_for(settings("cuda:0")) == Local(workers=1, threads=4)


def test_an_executor_is_chosen_by_its_name():
    assert Where("inline").executor_for(settings()) == Inline(threads=1)
    assert Where("ray", "host:1").executor_for(settings()) == Ray("host:1", 1, None, "/cache")


def test_a_missing_extra_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"install it by pip install 'graftbench\[ray\]'"):
        Where("ray").executor_for(settings()).run([Job("job", print, ())], Recorder())


def test_the_nodes_of_a_cluster_may_have_a_gpu_that_this_machine_lacks(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Where("ray").device("cuda") == "cuda:0"
    assert Where("ray").device("auto") == "cpu"
    with pytest.raises(UserError, match="Ray hands out the GPUs"):
        Where("ray").device("cuda:1")


def test_a_budget_that_would_not_hold_is_refused():
    where = Where("ray")
    assert where.executor_for(settings(cache="s3://bucket/cache"))
    with pytest.raises(UserError, match="leave out --judge-requests"):
        where.executor_for(settings(cache="s3://bucket/cache", requests=5))


@pytest.mark.parametrize(
    ("given", "told"),
    [({"workers": 0}, "number of workers is at least 1"), ({"address": "auto"}, "add --executor ray")],
)
def test_what_makes_no_sense_is_one_sentence(given, told):
    with pytest.raises(UserError, match=told):
        Where(**given)
