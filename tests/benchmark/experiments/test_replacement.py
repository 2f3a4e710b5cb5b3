"""Replacement by what a perfect map, and one to nothing, make of the same model's activations."""

import pytest
import torch

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.replacement import Replacement, replacement_fidelity
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Replace
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import token_ids
from tests.benchmark.conftest import WORDS, untrained, wrapped

PROMPTS = [Prompt(words) for words in WORDS]


def mapper(carry):
    torch.manual_seed(0)
    rows = torch.randn(8, 16).numpy()
    return FittedMapper(carry, "difference", str(carry), ActivationPairs(rows, rows, torch.arange(8).numpy()))


def compared(tmp_path, source, target, carry):
    replacement = Replacement(source, target, (1, 1), mapper(carry), torch.zeros(16))
    return replacement_fidelity(replacement, PROMPTS, Store(tmp_path), max_new_tokens=6, batch_size=4)


def test_kl_is_that_of_whole_vocabularies(tmp_path, llama):
    """The source is another model with the same tokenizer: prompt and reply are replaced as both models read them."""
    other = wrapped(untrained("qwen2"))
    replacement = Replacement(other, llama, (1, 1), mapper(torch.tanh), torch.zeros(16))
    result = replacement_fidelity(replacement, PROMPTS, Store(tmp_path), max_new_tokens=6, batch_size=4)
    each = []
    for prompt in PROMPTS:
        (own,) = generate(llama, [Row(chat(prompt, llama.tokenizer))], max_new_tokens=6)
        text = chat(prompt, llama.tokenizer)
        ids = torch.tensor([token_ids(text.text + own.text, llama.tokenizer)])
        start = len(token_ids(text.text, llama.tokenizer)) - 1
        with torch.inference_mode():
            untouched = llama.module(ids).logits[0, start:].double().log_softmax(-1)
            states = residuals(other, {"input_ids": ids}, [1])[1][0]
            with Batch([(Replace(1, torch.tanh(states), tuple(range(-len(states), 0))),)]).on(llama.blocks):
                replaced = llama.module(ids).logits[0, start:].double().log_softmax(-1)
        each.append((untouched.exp() * (untouched - replaced)).sum(-1))
    assert result.kl == pytest.approx(float(torch.cat(each).mean()), rel=1e-6)


def test_a_model_replaced_by_itself_stays_what_it_is(tmp_path, llama):
    result = compared(tmp_path, llama, llama, lambda states: states)
    assert result.n == len(PROMPTS)
    assert result.kl == pytest.approx(0, abs=1e-6)
    assert result.similarity == 1
    assert result.mva > 0.5
    assert result.tvs == 0.5  # both models say the same
    assert result.perplexity == result.perplexity_own


def test_a_map_to_nothing_is_told_from_one_that_loses_nothing(tmp_path, llama):
    result = compared(tmp_path, llama, llama, torch.zeros_like)
    assert result.kl > 0.1
    assert result.similarity < 0.9
    assert result.perplexity > result.perplexity_own  # greedy replies are what the model itself finds likely


def test_a_target_that_follows_its_source_to_the_letter_is_not_itself_any_more(tmp_path, llama):
    """Two models that differ below the site alone: what is carried over unchanged makes the target the source."""
    other = wrapped(untrained("llama"))
    torch.manual_seed(9)
    for parameter in other.blocks[0].parameters():
        parameter.data = torch.randn_like(parameter) * 0.5
    result = compared(tmp_path, other, llama, lambda states: states)
    assert result.tvs == 0
    assert result.kl > 0.1


def test_models_with_other_tokenizers_can_be_compared(tmp_path, llama):
    other = wrapped(untrained("qwen2"), vocabulary=275)
    result = compared(tmp_path, other, llama, lambda states: states)
    assert result.kl > 0
    assert result.n == len(PROMPTS)


def test_what_is_not_finite_is_no_answer(tmp_path, llama):
    with pytest.raises(FloatingPointError, match="under full replacement"):
        compared(tmp_path, llama, llama, lambda states: states * float("inf"))
