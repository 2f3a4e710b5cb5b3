"""A small run of an open variant: models of the pocket world, whose formal register can be read by a rule."""

import json
import re

import pytest
import yaml

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.benchmark.zoo.world.styles import STYLES
from graftbench.cli.main import main
from graftbench.tasks.datasets.pocket.dataset import Pocket
from tests.in_process import in_process
from tests.judges.conftest import serve  # noqa: F401 (a fixture)
from tests.judges.llm.stub import good

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
SETTINGS = {
    "vector": 32,
    "validation": 10,
    "test": 16,
    "fit": 40,
    "strengths": [1.0, 2.0],
    "draws": {"test": 2, "validation": 1, "contrast": 1},
}
COMPLETION = re.compile(r"=====+ completion\n(.*?)\n=====+ end", re.DOTALL)
OPEN, READ = "formal_open", "formal"
RULE = {"formal": "pocket_register"}


def lines():
    """Plain requests, whose clean counterpart is the same in a formal register: that is answered formally."""
    pocket = Pocket()
    for plain, formal in pocket.contrast("formal", 40).pairs:
        yield {"desired": formal.prompt.text, "undesired": plain.prompt.text}
    for split, n in (("validation", 20), ("test", 30)):
        for each in pocket.examples("formal", split, n):
            asked = {"prompt": each.clean.prompt.text, "clean": each.prompt.text, "cluster": each.cluster}
            yield asked | {"split": split, "reference": " It is proper.", "other": " Do it."}
    for prompt, reply in pocket.conversations("formal", "fit", "task", 60):
        yield {"prompt": prompt.text, "reply": reply, "shows": True, "split": "fit"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the dataset, in which what was done once is cached."""
    folder = tmp_path_factory.mktemp("open")
    behaviour = {"kind": "steering", "versions": ["style"], "shown_by": "formal", "everywhere": True}
    (folder / "register").mkdir()
    (folder / "register" / "dataset.yaml").write_text(yaml.safe_dump({"behaviours": {"formal": behaviour}}))
    (folder / "register" / "lines.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFTBENCH_CACHE", str(folder / "cache"))
        patch.setenv("OPENAI_API_KEY", "sk-secret")
        yield folder


def score(home, name, variants, judges):
    """Score a suite of some variants, and return the entry."""
    cells = [{"variant": each, "pair": "llama-s->twin", "sites": [3, 3], "tracks": ["task"]} for each in variants]
    task = {"dataset": {"jsonl": "register"}, "settings": SETTINGS, "judges": judges, "cells": cells}
    models = {"llama-s": {"style": {"model": "llama-s-style"}}, "twin": {"any": {"twin_of": "llama-s"}}}
    suite = {"name": "small", "max_new_tokens": 48, "models": models, "tasks": {"behaviour_steering": task}}
    (home / f"{name}.yaml").write_text(yaml.safe_dump(suite))
    with in_process():
        assert main(["score", "ridge", "--suite", str(home / f"{name}.yaml"), "--out", str(home / name)]) == 0
    return read_entry(home / name / "entry.json")


@pytest.fixture(scope="module")
def both(home):
    """A run of both variants that a rule has judged."""
    return score(home, "both", [READ, OPEN], RULE)


def reader(body, _):
    """What someone would say who knows the formal register when they see it."""
    (said,) = COMPLETION.findall(body["messages"][1]["content"])
    return 200, good("formal" if STYLES["formal"].shown_by(said) else "casual")


def test_what_a_llm_can_read_it_finds_as_a_rule_does(home, both, serve, monkeypatch):  # noqa: F811
    monkeypatch.setenv("OPENAI_BASE_URL", serve(reader).url)
    entry = score(home, "llm", [OPEN], {"formal": {"judge": "llm:formal", "model": "m"}})
    judges = entry.judges["behaviour_steering"]
    assert judges["formal"].startswith("llm/2 formal/1 ")
    assert judges["good"].startswith("intact/1 ")
    (cell,) = entry.cells
    assert cell.bits == both.cells[1].bits
    assert cell.bits["mapped"] == cell.bits["native"]  # a twin loses nothing
    assert sum(cell.bits["native"][0]) > sum(cell.bits["unsteered"][0]) == 0
    assert set(cell.rates) >= {"mapped_own_norm", "mapped_best", "random", "random_contrast", "mean_ablated"}
    assert cell.rates["mean_ablated"].good == 0  # what is broken is none of its own


def test_what_is_read_alone_has_no_judge_and_is_the_same_beside_what_is_judged(home, both):
    alone = score(home, "alone", [READ], {})
    assert alone.judges == {"behaviour_steering": {}}
    assert alone.cells[0].bits == both.cells[0].bits
    assert alone.cells[0].rates == both.cells[0].rates


def test_another_judge_changes_what_was_judged_alone(home, both):
    again = ["rejudge", str(home / "both"), "--measure", "formal", "--judge", "pattern:(?!)", "--out"]
    assert main([*again, str(home / "again")]) == 0
    entry = read_entry(home / "again" / "entry.json")
    assert entry.cells[0] == both.cells[0]
    assert not any(entry.cells[1].bits["native"][0])
