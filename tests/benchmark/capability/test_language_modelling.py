import subprocess
import sys

import pytest
import torch

from graftbench.benchmark.capability.deployment import Deployment
from graftbench.benchmark.capability.language_modelling import kl, states_of, text_perplexity
from graftbench.benchmark.data.corpora import Text
from graftbench.benchmark.interventions import logits as logits_module
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.logits import logits_of_states
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.load import load
from graftbench.benchmark.models.shipped import WEIGHTS

pytestmark = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
PLAIN = Deployment(Condition("unsteered"))
TEXTS = [
    Text("How do I paint the fence?", " Get a brush. Then paint it."),
    Text("What is the capital of France?", " The capital of France is Paris."),
]


@pytest.fixture(scope="module", params=["llama-s-instruct", "gemma2-s-instruct"])
def model(request):
    return load(request.param)


def adding(model, strength):
    vector = strength * torch.randn(model.d, generator=torch.Generator().manual_seed(0))
    return Deployment(Condition("added", lambda _, text: Row(text, (Add(1, vector, None),))))


def logits_by_hand(model, text, deployment=None):
    """All logits of a conversation at once, and the tokens of what is said."""
    asked = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": text.prompt}], tokenize=False, add_generation_prompt=True
    )
    n = len(model.tokenizer(asked, add_special_tokens=False).input_ids)
    ids = model.tokenizer(asked + text.continuation, add_special_tokens=False, return_tensors="pt").input_ids
    with torch.no_grad():
        return model.module(ids).logits[0, n - 1 : -1].double(), ids[0, n:]


def test_the_models_own_head_is_used_whatever_it_does(model):
    """gemma2's caps its logits."""
    states = states_of(model, PLAIN, TEXTS)
    for one, text in zip(states, TEXTS, strict=True):
        logits, said = logits_by_hand(model, text)
        assert one.predicted == tuple(said.tolist())
        assert torch.allclose(logits_of_states(model, one.last).double(), logits, atol=1e-3)


def test_perplexity_is_that_of_all_logits_at_once(model, monkeypatch):
    loss = [
        -logits.log_softmax(-1).gather(-1, said[:, None])
        for logits, said in (logits_by_hand(model, text) for text in TEXTS)
    ]
    expected = float(torch.cat(loss).mean().exp())
    assert text_perplexity(model, PLAIN, TEXTS) == pytest.approx(expected, rel=1e-4)
    monkeypatch.setattr(logits_module, "LOGITS_AT_ONCE", 1)  # a position at a time, few words of the vocabulary
    monkeypatch.setattr(logits_module, "VOCABULARY_SLICE", 7)
    assert text_perplexity(model, PLAIN, TEXTS) == pytest.approx(expected, rel=1e-4)


def test_kl_is_that_of_all_logits_at_once_and_zero_of_what_is_the_same(model, monkeypatch):
    untouched, changed = states_of(model, PLAIN, TEXTS), states_of(model, adding(model, 1.0), TEXTS)
    expected = []
    for one, other in zip(untouched, changed, strict=True):
        p, q = (logits_of_states(model, states.last).double().log_softmax(-1) for states in (one, other))
        expected.append((p.exp() * (p - q)).sum(-1).mean())
    assert kl(model, untouched, untouched) == 0
    assert kl(model, untouched, changed) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-6)
    monkeypatch.setattr(logits_module, "LOGITS_AT_ONCE", 1)
    monkeypatch.setattr(logits_module, "VOCABULARY_SLICE", 7)
    assert kl(model, untouched, changed) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-6)


def test_plain_texts_count_from_their_second_token_on_and_are_cut(model):
    text = Text(None, "How do I paint the fence? Get a brush.")
    ids = model.tokenizer(text.continuation, add_special_tokens=False).input_ids
    (whole,), (cut,) = states_of(model, PLAIN, [text]), states_of(model, PLAIN, [text], 5)
    assert (whole.predicted, cut.predicted) == (tuple(ids[1:]), tuple(ids[1:5]))
    assert torch.allclose(whole.last[:4], cut.last, atol=1e-4)


def test_positions_count_from_the_end_of_the_prompt(model):
    vector = 5 * torch.ones(model.d)
    last = Deployment(Condition("last", lambda _, text: Row(text, (Add(1, vector, (-1,)),))))
    untouched, changed = states_of(model, PLAIN, TEXTS), states_of(model, last, TEXTS)
    for one, other in zip(untouched, changed, strict=True):
        assert not torch.allclose(one.last[0], other.last[0], atol=1e-2)  # read at the prompt's last token


MEASURED = """
import resource, torch
from transformers import LlamaConfig, LlamaForCausalLM
from types import SimpleNamespace
from graftbench.benchmark.capability.language_modelling import kl
from graftbench.benchmark.interventions.logits import PredictingStates, log_likelihoods
config = LlamaConfig(vocab_size=128_000, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                     num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=True)
torch.set_num_threads(1)
module = LlamaForCausalLM(config).eval()
model = SimpleNamespace(module=module, device=module.device)
text = lambda n: PredictingStates(torch.randn(n, 16), tuple(range(n)))
log_likelihoods(model, [text(4)])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
log_likelihoods(model, [text(2048)])
kl(model, [text(2048)], [text(2048)])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_2048_positions_of_a_large_vocabulary_take_a_few_hundred_megabytes():
    """All logits at once, in float32, are a gigabyte, and KL would take several."""
    measured = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    assert int(measured.stdout) < 400
