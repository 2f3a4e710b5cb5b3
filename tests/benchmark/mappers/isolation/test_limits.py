"""Every limit of a submission's process, by itself: for good, and no other than was asked for."""

import os
import resource

import pytest

from graftbench.benchmark.mappers.isolation.limits import Limits, apply
from tests.benchmark.mappers.isolation.forked import forked

LIMITS = Limits(memory=2**28, fit_seconds=3, file_size=2**20, open_files=64, tasks=32)
KINDS = {
    "cpu": resource.RLIMIT_CPU,
    "file_size": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
    "core": resource.RLIMIT_CORE,
    "tasks": resource.RLIMIT_NPROC,
    "addresses": resource.RLIMIT_AS,
    "data": resource.RLIMIT_DATA,
}


def found():
    return {name: resource.getrlimit(kind) for name, kind in KINDS.items()}


def limited(limits=LIMITS, *, own_tasks=True, on_gpu=False):
    def applied():
        apply(limits, own_tasks=own_tasks, on_gpu=on_gpu)
        return found()

    return {name: tuple(each) for name, each in forked(applied).items()}


@pytest.mark.parametrize(
    ("name", "most"),
    [("cpu", 3 * os.cpu_count() + 1), ("file_size", 2**20), ("open_files", 64), ("core", 0), ("tasks", 32)],
)
def test_a_limit_is_the_one_that_was_asked_for_and_cannot_be_raised(name, most):
    assert limited()[name] == (most, most)


def test_tasks_are_counted_only_where_they_are_its_own():
    assert limited(own_tasks=False)["tasks"] == found()["tasks"]


@pytest.mark.parametrize(("on_gpu", "kind", "other"), [(False, "addresses", "data"), (True, "data", "addresses")])
def test_memory_is_limited_beside_what_it_takes_by_then(on_gpu, kind, other):
    after = limited(on_gpu=on_gpu)
    assert after[kind][0] == after[kind][1]
    assert 2**28 < after[kind][0] < 2**28 + 2**40
    assert after[other] == found()[other]
    more = limited(Limits(memory=2**29), on_gpu=on_gpu)[kind][0]
    assert more - after[kind][0] == pytest.approx(2**28, rel=0.2)


def test_half_of_the_machine_is_the_most_where_no_memory_is_said():
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    assert half < limited(Limits())["addresses"][0] < half + 2**40


def test_a_limit_that_is_there_is_never_raised():
    def applied():
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
        apply(LIMITS, own_tasks=False, on_gpu=False)
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    assert forked(applied) == [50, 50]


def test_a_process_that_uses_up_its_time_on_the_cpu_is_ended():
    def works():
        apply(Limits(fit_seconds=0), own_tasks=False, on_gpu=False)
        while True:
            pass

    pid = os.fork()
    if pid == 0:
        works()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (-24, -9)  # SIGXCPU, or SIGKILL at the hard limit
