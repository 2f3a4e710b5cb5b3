"""Logits, log-likelihoods and KL by chunks and slices, against whole vocabularies at once."""

import pytest
import torch

from graftbench.benchmark.interventions import logits
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.logits import (
    PredictingStates,
    kl_by_token,
    kl_of_next,
    last_states,
    log_likelihoods,
    logits_of_states,
    next_logits,
)
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.tokens import pad

ROWS = [[5, 9, 30, 31, 77], [8, 8, 200]]


def vector(model):
    return 3 * torch.randn(model.d, generator=torch.Generator().manual_seed(0))


def states_and_logits(model, steps=()):
    """The states [tokens, d] of all rows, and the logits [tokens, vocabulary] that the model makes of them itself."""
    states = last_states(model, ROWS, [steps] * len(ROWS))
    with torch.inference_mode(), Batch([steps] * len(ROWS)).on(model.blocks):
        whole = model.module(**pad(ROWS, model), use_cache=False).logits
    return states, torch.cat([row[-len(ids) :] for row, ids in zip(whole, ROWS, strict=True)]).double()


@pytest.fixture(params=["in one piece", "in pieces"])
def pieces(request, monkeypatch):
    if request.param == "in pieces":
        monkeypatch.setattr(logits, "LOGITS_AT_ONCE", 700)  # two positions
        monkeypatch.setattr(logits, "VOCABULARY_SLICE", 7)


def test_states_of_the_last_block_give_the_models_own_logits(model):
    states, expected = states_and_logits(model)
    assert [len(row) for row in states] == [len(ids) for ids in ROWS]
    assert torch.allclose(logits_of_states(model, torch.cat(states)).double(), expected, atol=1e-5)


def test_log_likelihoods_are_those_of_whole_vocabularies(model, pieces):
    states, whole = states_and_logits(model)
    tokens = torch.arange(40, 40 + len(whole))
    expected = whole.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]
    texts = [
        PredictingStates(row, tuple(some.tolist()))
        for row, some in zip(states, tokens.split([len(ids) for ids in ROWS]), strict=True)
    ]
    assert log_likelihoods(model, texts).tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_kl_is_that_of_whole_vocabularies(model, pieces):
    (states, one), (changed, other) = states_and_logits(model), states_and_logits(model, (Add(1, vector(model), None),))
    p, q = one.log_softmax(-1), other.log_softmax(-1)
    expected = (p.exp() * (p - q)).sum(-1)
    assert expected.min() > 1e-3
    assert kl_by_token(model, torch.cat(states), torch.cat(changed)).tolist() == pytest.approx(
        expected.tolist(), rel=1e-6
    )
    assert kl_by_token(model, torch.cat(states), torch.cat(states)).max() == 0


def test_kl_of_the_next_token_is_that_of_whole_vocabularies(model, pieces):
    texts = [Chat(words, ((0, len(words)),)) for words in ("How do I paint the fence?", "Mend it.", "A city")]
    plain, changed = ([Row(text, steps) for text in texts] for steps in ((), (Add(1, vector(model), None),)))
    untouched = next_logits(model, plain)
    p, q = untouched.double().log_softmax(-1), next_logits(model, changed).double().log_softmax(-1)
    expected = (p.exp() * (p - q)).sum(-1)
    assert expected.min() > 1e-3
    assert kl_of_next(model, changed, untouched).tolist() == pytest.approx(expected.tolist(), rel=1e-6)
