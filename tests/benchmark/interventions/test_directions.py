import json
import math

import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.directions import (
    Candidate,
    PromptSets,
    read_selection,
    refusal_score,
    refusal_scores,
    refusal_tokens,
    select_direction,
)
from graftbench.benchmark.models.chat import chat
from tests.benchmark.conftest import REFUSES, prompts, untrained, wrapped


def test_the_refusal_score_is_the_log_odds_of_a_first_token_of_a_refusal():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.05, 0.05, 0.9]]))
    scores = refusal_score(logits, [0, 1])
    assert scores.tolist() == pytest.approx([math.log(0.8 / 0.2), math.log(0.1 / 0.9)], abs=1e-6)


def test_a_certain_refusal_has_a_finite_score():
    scores = refusal_score(torch.tensor([[100.0, -100.0], [-100.0, 100.0]]), [0])
    assert scores.tolist() == pytest.approx([math.log(1e8), -math.log(1e8)], rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"kl": 0.11}, False),
        ({"induced": -0.01}, False),
        ({"site": 4}, False),  # 4 of 5 blocks is 0.8
        ({"site": 3}, True),
        ({"kl": math.nan}, False),
        ({"ablated": math.nan}, False),
    ],
)
def test_a_direction_is_taken_under_the_published_conditions(changes, passes):
    values = {"site": 2, "position": -1, "vector": torch.ones(3), "ablated": -5.0, "induced": 0.0, "kl": 0.1} | changes
    assert Candidate(**values).passes(n_blocks=5) == passes


def test_a_planted_direction_is_found(planted):
    model, direction = planted
    contrast, validation = (PromptSets(prompts("roof", n), prompts("fence", n)) for n in (12, 8))
    selection = select_direction(model, contrast, validation, [REFUSES])
    assert selection.best is not None
    assert abs(torch.cosine_similarity(selection.best.vector, direction.double(), dim=0)) > 0.999
    assert selection.best.ablated < 0 < selection.best.induced
    assert selection.best.kl < 1e-6
    assert selection.best.site in (1, 2)
    assert selection.n_validation == 8
    assert {candidate.site for candidate in selection.candidates} == {1, 2}  # before, the last tokens are all alike


def test_prompts_that_are_not_treated_as_expected_leave(planted):
    model, _ = planted
    mixed = PromptSets(prompts("roof", 5) + prompts("river", 3), prompts("fence", 4) + prompts("roof", 2))
    selection = select_direction(model, mixed, mixed, [REFUSES])
    assert selection.contrast == PromptSets(prompts("roof", 5), prompts("fence", 4))
    assert selection.n_validation == 4


def test_a_model_that_never_refuses_has_no_direction(planted):
    model, _ = planted
    sides = PromptSets(prompts("river", 4), prompts("fence", 4))
    selection = select_direction(model, sides, sides, [REFUSES])
    assert selection.best is None
    assert selection.candidates == ()


def test_a_refusal_whose_first_token_has_no_embedding_is_refused():
    few = wrapped(untrained("llama", vocab_size=262))  # a tokenizer of 320 tokens
    rows = [Row(chat(Prompt("x"), few.tokenizer))]
    assert len(refusal_scores(few, rows, refusal_tokens(few, ["I cannot"]))) == 1
    with pytest.raises(UserError, match=r"has embeddings of 262 tokens, and its tokenizer gives token 315, 'Ġro'"):
        refusal_scores(few, rows, refusal_tokens(few, ["I cannot", " roof"]))


def test_a_selection_survives_json(planted):
    model, _ = planted
    sides = PromptSets(prompts("roof", 4), prompts("fence", 4))
    selection = select_direction(model, sides, sides, [REFUSES])
    read = read_selection(json.loads(json.dumps(selection.record())))
    assert read.record() == selection.record()
    assert torch.equal(read.best.vector, selection.best.vector)
    assert read.contrast == selection.contrast
