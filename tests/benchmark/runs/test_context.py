from graftbench.benchmark.core.store import Store
from graftbench.benchmark.runs import context
from graftbench.benchmark.runs.context import RunContext, Settings
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import read_suite


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
