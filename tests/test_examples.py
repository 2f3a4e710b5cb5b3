from pathlib import Path

import pytest
import yaml

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.cli.main import main
from tests.in_process import in_process

EXAMPLE = Path(__file__).parents[1] / "examples" / "my_mapper.py"


def test_the_example_mapper_keeps_to_the_protocol(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    assert main(["check", f"{EXAMPLE}:MyMapper"]) == 0
    assert "It keeps to the protocol." in capsys.readouterr().out


BEHAVIOUR = EXAMPLE.parent / "my_behaviour"


def test_the_example_behaviour_keeps_its_promises_and_is_large_enough_to_count(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    assert main(["dataset", "check", str(BEHAVIOUR / "numbered_lists")]) == 0
    told = capsys.readouterr().out
    assert "1260 lines keep every promise" in told
    assert "Too few" not in told


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_the_example_behaviour_is_scored_between_two_models_without_a_line_of_python(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    suite = yaml.safe_load((BEHAVIOUR / "suite.yaml").read_text())
    task = suite["tasks"]["backdoor_removal"]
    task["dataset"] = {"jsonl": str(BEHAVIOUR / "numbered_lists")}
    task["settings"] |= {"test": 48, "validation": 12, "strengths": [1.0], "draws": {"test": 2, "validation": 1}}
    task["cells"][0]["tracks"] = ["task"]
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(suite))
    run = tmp_path / "run"
    with in_process():
        assert main(["score", "ridge", "--suite", str(tmp_path / "few.yaml"), "--out", str(run)]) == 0

    entry = read_entry(run / "entry.json")
    (cell,) = entry.cells
    assert entry.judges["backdoor_removal"]["numbered"].startswith("pattern/1")
    assert entry.judges["backdoor_removal"]["good"].startswith("like_clean/1")
    assert entry.datasets["backdoor_removal"].startswith("numbered_lists/1-")
    assert cell.steerable
    assert cell.rates["unsteered"].value == 0
    assert cell.rates["random"].value < 0.1
    assert cell.rates["native"].value > 0.6
    assert cell.transfer.value > 0.5
