import pytest

from graftbench.benchmark.runs.suite import read_suite

TINY = ["--device", "cpu", "--tiny"]


@pytest.fixture
def gpu(script):
    return script("gpu")


def test_the_whole_script_runs_on_a_cpu_at_tiny_shapes(gpu, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gpu, "_CELLS", 1e9)
    gpu.main([*TINY, "--seconds", "100", "--out", str(tmp_path / "table.md")])
    table = capsys.readouterr().out
    assert (tmp_path / "table.md").read_text() == table
    assert "failed" not in table
    for what in ("a copy", "batch 2, ours |", "steps replayed", "generate with a hook", "ablated", "capture", "ridge"):
        assert what in table


def test_a_section_that_fails_does_not_lose_the_others(gpu, capsys, monkeypatch):
    def broken(*_):
        raise MemoryError("there is none left")

    monkeypatch.setattr(gpu, "_SECTIONS", (broken, gpu.sections.capture))
    gpu.main([*TINY, "--seconds", "50"])
    table = capsys.readouterr().out
    assert "| broken |  | failed: MemoryError: there is none left |" in table
    assert "capture at site 1 | tiny |" in table


def test_no_section_begins_when_the_time_is_over(gpu, capsys):
    gpu.main([*TINY, "--seconds", "0"])
    table = capsys.readouterr().out
    assert table.count("not run: the time is over") == len(gpu._SECTIONS)
    assert "cells: not run" in table


def test_the_shapes_are_those_of_the_models(script):
    models = script("models")
    sizes = {}
    for name, shape in models.LLAMA_3_2.items():
        with script("torch").device("meta"):
            module = script("transformers").LlamaForCausalLM(script("transformers").LlamaConfig(**shape))
        sizes[name] = sum(p.numel() for p in module.parameters())
    assert sizes == {"Llama-3.2-1B": 1_235_814_400, "Llama-3.2-3B": 3_212_749_824}


def test_each_task_of_the_pocket_suite_has_a_suite_of_one_cell(script, tmp_path):
    suites = script("sections").suites_of_one_cell()
    assert set(suites) == set(read_suite("pocket").tasks)
    for task, text in suites.items():
        path = tmp_path / f"{task}.yaml"
        path.write_text(text)
        assert {name: len(about.cells) for name, about in read_suite(str(path)).tasks.items()} == {task: 1}
