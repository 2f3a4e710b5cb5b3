import shutil
import threading
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.models.load import load
from graftbench.benchmark.runs.executors.choose import Where
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.transfer.forecast import GIB, Measured, forecast, measure
from graftbench.benchmark.runs.transfer.pair_suite import ModelNamed, PairOrder

SOURCE, TARGET = ModelNamed("llama-s-instruct"), ModelNamed("qwen2-s-instruct")
ORDER = PairOrder(SOURCE, TARGET, {"behaviour_steering": "styles"}, behaviours=("cheerful",))
MODELS = {
    SOURCE.name: Measured(SOURCE.name, "LlamaForCausalLM", 16, 2048, 4 * GIB, 10.0, 2, 1000.0, 50.0, 60.0),
    TARGET.name: Measured(TARGET.name, "LlamaForCausalLM", 28, 3072, 12 * GIB, 30.0, 2, 400.0, 50.0, 60.0),
}


def request(workers=2):
    return Request(ORDER.suite((0, 0)), describe("ridge"), where=Where(workers=workers))


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of any size, in GiB, with an empty cache."""
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))

    def sized(memory, disk):
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=memory * GIB))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=disk * GIB))

    return sized


def test_memory_decides_how_many_cells_run_at_a_time(machine):
    machine(100, 100)
    plan = forecast(ORDER, request(), MODELS, 7)
    assert plan.workers == 2
    assert plan.memory == pytest.approx(2 * (17.8 * GIB + 300 * 60 * 5120 * 4), rel=0.01)
    machine(20, 100)
    one = forecast(ORDER, request(), MODELS, 7)
    assert one.workers == 1
    assert one.memory == pytest.approx(13.8 * GIB + 300 * 60 * 5120 * 4, rel=0.01)  # the larger model alone
    assert one.seconds_of_sites - 80 == pytest.approx(2 * (plan.seconds_of_sites - 80))  # but for loading, twice


def test_what_does_not_fit_is_refused_before_anything_runs(machine):
    machine(10, 100)
    with pytest.raises(UserError, match=r"The larger of the two models .* take 14\.\d GiB of memory, and 10\.0"):
        forecast(ORDER, request(), MODELS, 7)
    machine(17, 100)
    assert forecast(ORDER, request(), MODELS, 7).workers == 1
    with pytest.raises(UserError, match=r"The two models and the .* take 18\.\d GiB of memory, and 17\.0 GiB are free"):
        forecast(replace(ORDER, side_effects=("pocket_mmlu",)), request(), MODELS, 7)
    machine(100, 0.1)
    with pytest.raises(UserError, match=r"take 0\.9 GiB, and the cache's disk has 0\.1 GiB left: write `pairs: N`"):
        forecast(ORDER, request(), MODELS, 7)


def test_time_grows_with_what_is_read(machine):
    machine(100, 100)
    plan = forecast(ORDER, request(), MODELS, 7)
    # 64 prompts under 19 conditions and 6 of each cell, 128 under 13 and 2, through half of the blocks; a fit of each
    reference, cell = ((64 * v + 128 * t) * 50 / 2 / 400 for v, t in ((19, 13), (6, 2)))
    fit, loading = 300 * (60 / 1000 + 60 / 400), 10 + 30
    assert plan.seconds == pytest.approx(loading + reference + cell + fit)  # two cells at a time, after one reference
    sites = 7 * (16 * 5 * 25 + 2 * 32 * 60) * (1 / 1000 + 1 / 400) / 2
    assert plan.seconds_of_sites == pytest.approx(2 * loading + sites)
    assert forecast(ORDER, request(), MODELS, 5).seconds_of_sites == pytest.approx(loading + sites * 5 / 7)
    assert forecast(ORDER, request(), MODELS, 0).seconds_of_sites == 0


def test_a_worker_without_a_job_makes_nothing_faster(machine):
    machine(1000, 100)
    two, eight = (forecast(replace(ORDER, tracks=("task",)), request(workers=n), MODELS, 0) for n in (2, 8))
    assert two.seconds == eight.seconds


def test_a_model_is_measured_by_as_many_readers_as_there_are_workers(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    readers, barrier = set(), threading.Barrier(2, timeout=20)

    def reads(*_, **__):
        if threading.current_thread() is not threading.main_thread():
            barrier.wait()  # which one alone would never pass
            readers.add((threading.get_ident(), torch.get_num_threads()))

    def hooked(*named, **how):
        model = load(*named, **how)
        model.module.register_forward_pre_hook(reads, with_kwargs=True)
        return model

    monkeypatch.setattr("graftbench.benchmark.runs.transfer.forecast.load", hooked)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        found = measure(ORDER, SOURCE, "cpu", 2)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert found.at_once == len(readers) == 2
    assert {n for _, n in readers} == {1}


def test_a_model_is_measured_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    found = measure(ORDER, SOURCE, "cpu", 1)
    assert (found.kind, found.n_blocks, found.d) == ("LlamaForCausalLM", 4, 64)
    assert found.tokens_per_second > 100
    assert found.seconds > 0
    assert 20 < found.per_prompt < 200
    assert 20 < found.words < 200
