import argparse
from types import SimpleNamespace

import psutil
import pytest

from graftbench.benchmark.models import pool
from graftbench.benchmark.runs import context
from graftbench.benchmark.runs.context import Settings, context_of
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import read_suite
from graftbench.cli.options import add_batch_size


def settings(tmp_path, batch_size=8, **others):
    return Settings(read_suite("pocket").model_dump_json(), batch_size, "cpu", str(tmp_path), **others)


def test_an_experiment_is_made_without_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "read", None)
    here = context_of(settings(tmp_path))
    cells = {cell.task: cell for cell in planned(here.suite, deterministic=True)}
    for cell in cells.values():
        here.experiment(cell)


def test_workers_share_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=6000))
    pools = [context_of(settings(tmp_path, workers=n)).pool for n in (1, 3)]
    assert [each.grant for each in pools] == [3000, 1000]


@pytest.mark.parametrize(("batch_size", "n_rows", "n_limited"), [(32, 32, 0), ("auto", 256, 1)])
def test_on_auto_the_free_memory_limits_what_a_model_reads(tmp_path, monkeypatch, batch_size, n_rows, n_limited):
    limited = []
    monkeypatch.setattr(context, "limit_by_free_memory", limited.append)
    here = context_of(settings(tmp_path, batch_size))
    handle = here.model("llama-s", "hate")
    assert here.model("llama-s", "hate") is handle
    assert limited == []
    with handle.loaded() as model, handle.loaded():
        assert limited == [model] * n_limited
    assert here.settings.n_rows == n_rows


@pytest.mark.parametrize(
    ("written", "read"), [([], 32), (["--batch-size", "8"], 8), (["--batch-size", "auto"], "auto")]
)
def test_a_batch_size_is_a_number_or_auto(written, read):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_batch_size(parser, 32)
    assert parser.parse_args(written).batch_size == read
    with pytest.raises(argparse.ArgumentError):
        parser.parse_args(["--batch-size", "0"])
