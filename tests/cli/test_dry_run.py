"""A dry run where things are missing: it says all that it knows, and then what is missing."""

import huggingface_hub.constants
import pytest

from graftbench.benchmark.core import hub
from graftbench.benchmark.data.rows import DATA_VARIABLE
from graftbench.cli.main import main


@pytest.fixture(autouse=True)
def bare(tmp_path, monkeypatch):
    """A machine without a network, models, data and a key; returns the tries to reach the Hub."""
    tried = []

    def nowhere(*_, **__):
        tried.append(1)
        raise OSError("no network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "urlopen", nowhere)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return tried


def test_cells_are_listed_before_all_that_is_missing_and_the_hub_is_tried_once(bare, capsys):
    assert main(["score", "ridge", "--suite", "paper", "--dry-run"]) == 2
    known, told = capsys.readouterr()
    heading, _, missing = told.partition("\n")
    assert heading == "Missing, or to be put right:"
    assert "refusal_ablation ablation llama-3.2-1b->llama-3.2-3b unseen, sites chosen by the task" in known
    sentences = missing.splitlines()
    assert all(line.startswith("- ") and line.endswith(".") for line in sentences)
    for part in ("set OPENAI_API_KEY", "tatsu-lab/alpaca is not in", "./organisms/qwen2.5-0.5b-code"):
        assert part in missing
    assert any("meta-llama/Llama-3.1-8B-Instruct" in line and hub.NO_HUB in line for line in sentences)
    assert bare == [1]
    assert "…" not in known + missing  # nothing that one may have to copy is cut


def test_a_task_that_is_not_there_is_told_before_the_hub_is_tried(bare, capsys):
    assert main(["score", "ridge", "--suite", "paper", "--task", "backdoors", "--dry-run"]) == 2
    assert "no task 'backdoors'" in capsys.readouterr().err
    assert bare == []


def test_fetch_names_all_that_it_could_not_get_in_whole_sentences(bare, capsys):
    assert main(["fetch", "laptop"]) == 1
    said = capsys.readouterr().out
    sentences = [line for line in said.splitlines() if line.startswith("- ")]
    assert len([line for line in sentences if hub.NO_HUB in line]) == 3
    assert all(line.endswith(".") for line in sentences)
    assert "Got:" not in said
    assert bare == [1]
