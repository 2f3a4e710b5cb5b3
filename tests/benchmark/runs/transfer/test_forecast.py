import shutil
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.runs.executors.choose import Where
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.transfer.forecast import GIB, Measured, forecast, measure
from graftbench.benchmark.runs.transfer.pair_suite import ModelNamed, PairOrder

SOURCE, TARGET = ModelNamed("llama-s-instruct"), ModelNamed("qwen2-s-instruct")
ORDER = PairOrder(SOURCE, TARGET, {"behaviour_steering": "styles"}, behaviours=("cheerful",))
MODELS = {
    SOURCE.name: Measured(SOURCE.name, "LlamaForCausalLM", 16, 2048, 4 * GIB, 1000.0, 50.0, 60.0),
    TARGET.name: Measured(TARGET.name, "LlamaForCausalLM", 28, 3072, 12 * GIB, 400.0, 50.0, 60.0),
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
    assert one.seconds == pytest.approx(2 * plan.seconds)


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
    # 64 prompts under 19 conditions and two times 6, 128 under 13 and two times 2, through half of the blocks; two fits
    rows = 64 * (19 + 2 * 6) + 128 * (13 + 2 * 2)
    fits = 2 * 300 * (60 / 1000 + 60 / 400)
    assert plan.seconds == pytest.approx((rows * 50 / 2 / 400 + fits) / 2)
    assert plan.seconds_of_sites == pytest.approx(7 * (16 * 5 * 25 + 2 * 32 * 60) * (1 / 1000 + 1 / 400) / 2)
    assert forecast(ORDER, request(), MODELS, 0).seconds_of_sites == 0


def test_a_model_is_measured_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    found = measure(ORDER, SOURCE, "cpu")
    assert (found.kind, found.n_blocks, found.d) == ("LlamaForCausalLM", 4, 64)
    assert found.tokens_per_second > 100
    assert 20 < found.per_prompt < 200
    assert 20 < found.words < 200
