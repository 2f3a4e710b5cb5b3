import argparse

import pytest

from graftbench.benchmark.core.store import Store
from graftbench.benchmark.runs import context
from graftbench.benchmark.runs.context import RunContext, Settings, context_of
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import read_suite
from graftbench.cli.options import add_batch_size


def families_after(cells, tmp_path, monkeypatch, kept):
    monkeypatch.setattr(context, "KEPT", kept)
    suite = read_suite("pocket")
    run = RunContext(Settings(suite.model_dump_json(), 8, "cpu", str(tmp_path)), suite, Store(tmp_path))
    for cell in cells:
        run.experiment(cell)
    return {family for family, _ in run._models}


def test_large_models_of_earlier_experiments_are_let_go_and_small_ones_stay(tmp_path, monkeypatch):
    pairs = ["llama-s->llama-m", "qwen2-s->llama-m"]
    cells = planned(read_suite("pocket"), deterministic=True, tasks=["refusal_ablation"], pairs=pairs)
    ordered = sorted(cells, key=lambda cell: pairs.index(cell.pair))
    assert families_after(ordered, tmp_path, monkeypatch, context.KEPT) == {"llama-s", "llama-m", "qwen2-s"}
    assert families_after(ordered, tmp_path, monkeypatch, 0) == {"llama-m", "qwen2-s"}


def settings(tmp_path, batch_size):
    return Settings(read_suite("pocket").model_dump_json(), batch_size, "cpu", str(tmp_path))


@pytest.mark.parametrize(("batch_size", "n_rows", "n_limited"), [(32, 32, 0), ("auto", 256, 1)])
def test_on_auto_the_free_memory_limits_what_a_model_reads(tmp_path, monkeypatch, batch_size, n_rows, n_limited):
    limited = []
    monkeypatch.setattr(context, "limit_by_free_memory", limited.append)
    here = context_of(settings(tmp_path, batch_size))
    model = here.model("llama-s", "hate")
    assert here.model("llama-s", "hate") is model
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
