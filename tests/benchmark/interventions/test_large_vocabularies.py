"""No place makes logits of whole sequences: the largest output of the head, for a vocabulary of 50 thousand."""

import pytest
import torch

from graftbench.benchmark.capability.deployment import Deployment
from graftbench.benchmark.capability.language_modelling import kl, states_of, text_perplexity
from graftbench.benchmark.data.corpora import Text
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions import joint_reading, logits
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.directions import refusal_scores
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.likelihoods import (
    ContinuationRow,
    continuation_likelihoods,
    mean_reply_likelihoods,
    perplexity,
    reply_likelihoods,
)
from graftbench.benchmark.interventions.logits import kl_of_next, next_logits
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.chat import chat
from tests.benchmark.conftest import WORDS, untrained, wrapped

VOCABULARY, POSITIONS = 50_000, 4
DEPLOYMENT = Deployment(Condition("unsteered"))


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(logits, "LOGITS_AT_ONCE", POSITIONS * VOCABULARY)
    monkeypatch.setattr(joint_reading, "_LOGITS_AT_ONCE", POSITIONS * VOCABULARY)
    return wrapped(untrained("llama", vocab_size=VOCABULARY))


@pytest.fixture
def largest(model):
    """The number of positions of the largest logits that were made."""
    made = []
    model.module.lm_head.register_forward_hook(lambda *args: made.append(args[2].numel() / VOCABULARY))
    return lambda: max(made)


def rows_of(model, *steps):
    chats = [chat(Prompt(words), model.tokenizer).with_reply(" So it is, and so it will be.") for words in WORDS]
    return [Row(text, steps) for text in chats]


def texts():
    return [Text(words, "So it is, and so it will be.") for words in WORDS]


def continuations(model):
    ids = [model.tokenizer(words * 2, add_special_tokens=False).input_ids for words in WORDS]
    return [ContinuationRow(str(i), row[:-1], row[3:], ()) for i, row in enumerate(ids)]


def kl_of_texts(model):
    states = states_of(model, DEPLOYMENT, texts())
    return kl(model, states, states)


MEASURES = {
    "replies": lambda model: reply_likelihoods(model, rows_of(model)),
    "replies under several conditions": lambda model: mean_reply_likelihoods(
        model, [[row, Row(row.text, (Add(1, torch.ones(model.d), None),))] for row in rows_of(model)]
    ),
    "perplexity of replies": lambda model: perplexity(model, [(row.text, range(20, 40)) for row in rows_of(model)]),
    "perplexity of texts": lambda model: text_perplexity(model, DEPLOYMENT, texts()),
    "KL of texts": kl_of_texts,
    "lm-eval": lambda model: continuation_likelihoods(model, continuations(model), 8),
    "refusal": lambda model: refusal_scores(model, rows_of(model), [7]),
    "KL of the next token": lambda model: kl_of_next(model, rows_of(model), next_logits(model, rows_of(model))),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_logits_are_made_of_a_few_positions_at_a_time(model, largest, measure):
    MEASURES[measure](model)
    assert 1 <= largest() <= POSITIONS


def test_a_reply_is_decoded_with_logits_of_its_last_token(model, largest):
    generate(model, rows_of(model), max_new_tokens=3)
    assert largest() == len(WORDS)
