import pytest

from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.runs.transfer import pair_suite
from graftbench.cli.main import main
from tests.in_process import in_process

MODELS = ["llama-s-instruct", "qwen2-s-instruct"]
SMALL = {
    "vector": 16,
    "validation": 8,
    "test": 12,
    "fit": 40,
    "strengths": (1.0,),
    "draws": {"test": 2, "validation": 1, "contrast": 1},
}


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(pair_suite, "_SETTINGS", {"behaviour_steering": SMALL})


def test_two_names_and_a_mapper_are_enough(capsys, tmp_path):
    out = tmp_path / "run"
    chosen = ["--behaviour", "brief", "--tracks", "task", "--sweep", "2", "--out", str(out)]
    with in_process():
        assert main(["transfer", *MODELS, "ridge", *chosen]) == 0
    said = capsys.readouterr().out
    for words in (
        "sites: at most 2 in each model",
        "memory: about",
        "behaviour_steering on styles: brief",
        "1 cell, 2",
    ):
        assert words in said
    assert "sites ━" in said  # the bar that is left of the search
    entry = read_entry(out / "entry.json")
    assert [cell.status for cell in entry.cells] == ["ok"]
    assert main(["score", "ridge", "--suite", str(out / "suite.json"), "--out", str(tmp_path / "again")]) == 0
    again = read_entry(tmp_path / "again" / "entry.json")
    assert [cell.bits for cell in again.cells] == [cell.bits for cell in entry.cells]
    assert again.suite.hash == entry.suite.hash


def test_tasks_may_stand_in_any_order(capsys):
    given = ["--task", "refusal_ablation", "--task", "behaviour_steering", "--data", "styles", "--dry-run"]
    assert main(["transfer", *MODELS, "ridge", *given]) == 0
    assert "behaviour_steering on styles" in capsys.readouterr().out


def test_a_dry_run_says_what_it_would_take_and_stops(capsys, tmp_path):
    assert main(["transfer", *MODELS, "ridge", "--sites", "2,3", "--dry-run", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "18 cells, 2 at a time" in said
    assert "in each of 2 processes at a time" in said
    assert said.count("and a cell counts where 128 and 64 are left") == 1
    assert said.index("18 cells") < said.index("and a cell counts")
    assert "sites: at most" not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([*MODELS, "ridge", "--sites", "2"], "--sites are two numbers"),
        ([*MODELS, "ridge", "--sites", "2,99"], "qwen2-s-instruct has no site 99"),
        ([*MODELS, "ridge", "--tracks", "tasks"], "There is no track 'tasks'"),
        ([*MODELS, "ridge", "--behaviour", "cheery"], "has a behaviour 'cheery'. Did you mean cheerful"),
        ([*MODELS, "rigde"], "rigde"),
        (["llama-s-instruct", "qwen2-s-instruc", "ridge"], "graftbench: There is no zoo model 'qwen2-s-instruc'."),
        (["llama-s-instruct", "a/b/c", "ridge"], "graftbench: There is no folder a/b/c, and it is no Hub id"),
        ([*MODELS, "ridge", "--data", "styls"], "Did you mean styles"),
        ([*MODELS, "ridge", "--task", "backdoor_removal"], "needs a dataset, named by --data"),
        ([*MODELS, "ridge", "--task", "version_switching", "--data", "pocket"], "not chosen by a sweep"),
    ],
)
def test_a_mistake_is_one_sentence_before_any_model_is_loaded(given, message, capsys, monkeypatch):
    monkeypatch.setattr("graftbench.benchmark.runs.transfer.forecast.load", lambda *_, **__: pytest.fail("loaded"))
    assert main(["transfer", *given]) == 2
    assert message in capsys.readouterr().err
