"""Replacement by what a perfect map, and one to nothing, make of the same model's activations."""

import pytest
import torch

from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.replacement import Replacement, faithful
from graftbench.benchmark.interventions.generation import Row
from graftbench.benchmark.interventions.logits import perplexity, reply_logits
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import token_ids
from tests.benchmark.conftest import WORDS, untrained, wrapped

PROMPTS = [Prompt(words) for words in WORDS]


def carrier(carry):
    torch.manual_seed(0)
    rows = torch.randn(8, 16).numpy()
    return FittedMapper(carry, "difference", str(carry), ActivationPairs(rows, rows, torch.arange(8).numpy()))


def compared(tmp_path, source, target, carry):
    replacement = Replacement(source, target, (1, 1), carrier(carry), torch.zeros(16))
    return faithful(replacement, PROMPTS, Store(tmp_path), max_new_tokens=6, batch_size=4)


def test_a_model_replaced_by_itself_stays_what_it_is(tmp_path, llama):
    found = compared(tmp_path, llama, llama, lambda states: states)
    assert found.n == len(PROMPTS)
    assert found.kl == pytest.approx(0, abs=1e-6)
    assert found.similarity == 1
    assert found.mva > 0.5
    assert found.tvs == 0.5  # both models say the same
    assert found.perplexity == found.perplexity_own


def test_a_map_to_nothing_is_told_from_one_that_loses_nothing(tmp_path, llama):
    found = compared(tmp_path, llama, llama, torch.zeros_like)
    assert found.kl > 0.1
    assert found.similarity < 0.9
    assert found.perplexity > found.perplexity_own  # greedy replies are what the model itself finds likely


def test_a_target_that_follows_its_source_to_the_letter_is_not_itself_any_more(tmp_path, llama):
    """Two models that differ below the site alone: what is carried over unchanged makes the target the source."""
    other = wrapped(untrained("llama"))
    torch.manual_seed(9)
    for parameter in other.blocks[0].parameters():
        parameter.data = torch.randn_like(parameter) * 0.5
    found = compared(tmp_path, other, llama, lambda states: states)
    assert found.tvs == 0
    assert found.kl > 0.1


def test_models_with_other_tokenizers_can_be_compared(tmp_path, llama):
    other = wrapped(untrained("qwen2"), vocabulary=275)
    found = compared(tmp_path, other, llama, lambda states: states)
    assert found.kl > 0
    assert found.n == len(PROMPTS)


def test_what_is_not_finite_is_no_answer(tmp_path, llama):
    with pytest.raises(FloatingPointError, match="under full replacement"):
        compared(tmp_path, llama, llama, lambda states: states * float("inf"))


def test_the_logits_of_a_reply_are_those_that_predict_each_of_its_tokens(model):
    text = chat(PROMPTS[0], model.tokenizer).with_reply(" So it is.")
    shorter = chat(PROMPTS[1], model.tokenizer).with_reply(" No.")
    found = reply_logits(model, [Row(text), Row(shorter)])
    for one, logits in ((text, found[0]), (shorter, found[1])):
        ids = token_ids(one.text, model.tokenizer)
        start = len(token_ids(one.text[: one.spans[-1][0]], model.tokenizer))
        with torch.inference_mode():
            expected = model.module(torch.tensor([ids]), use_cache=False).logits[0, start - 1 : -1]
        assert torch.allclose(logits, expected, atol=1e-4)


def test_after_the_last_token_of_a_reply_comes_one_distribution_more(model):
    rows = [Row(chat(PROMPTS[0], model.tokenizer).with_reply(" So it is."))]
    without, onwards = reply_logits(model, rows)[0], reply_logits(model, rows, onwards=True)[0]
    assert len(onwards) == len(without) + 1
    assert torch.equal(onwards[:-1], without)


def test_perplexity_is_that_of_the_model_s_own_loss(model):
    text, said = chat(PROMPTS[0], model.tokenizer), (5, 9, 2)
    prompt = token_ids(text.text, model.tokenizer)
    labels = [-100] * len(prompt) + list(said)
    with torch.inference_mode():
        loss = model.module(torch.tensor([[*prompt, *said]]), labels=torch.tensor([labels])).loss
    assert perplexity(model, [(text, said)]) == pytest.approx(float(loss.exp()), rel=1e-4)
