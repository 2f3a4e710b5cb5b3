"""What lm-eval and perplexity say of models with other tokenizers and formats than the zoo's."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from graftbench.benchmark.capability.deployment import Deployment, chat_from_history
from graftbench.benchmark.capability.full_replacement import full_replacement
from graftbench.benchmark.capability.language_modelling import text_perplexity
from graftbench.benchmark.capability.lm_eval_model import IntervenedLM
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.corpora import Text
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.decoding import stop_tokens
from graftbench.benchmark.models.block_search import blocks_of
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model, load
from tests.benchmark.conftest import byte_pairs, untrained
from tests.benchmark.models.families import FAMILIES, family

PLAIN = Deployment(Condition("unsteered"))
TEXT = "The river is long, and the fence of the old house is not."


def model_of(tokenizer):
    module = untrained("llama", vocab_size=len(tokenizer), max_position_embeddings=256)
    return Model("tiny", module, tokenizer, blocks_of(module), "tiny")


@pytest.fixture
def begins():
    """A model whose tokenizer puts a token before plain text."""
    return model_of(family("llama"))


def log_likelihoods(model, ids):
    """The log-likelihood of each token but the first, by one plain forward pass."""
    with torch.inference_mode():
        logits = model.module(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return logits[:-1].gather(-1, torch.tensor(ids[1:])[:, None])[:, 0]


def test_the_perplexity_of_plain_text_is_that_after_the_token_that_begins_it(begins):
    ids = begins.tokenizer(TEXT).input_ids
    assert ids[0] == begins.tokenizer.bos_token_id
    expected = log_likelihoods(begins, ids).mean().neg().exp()
    assert text_perplexity(begins, PLAIN, [Text(None, TEXT)]) == pytest.approx(float(expected), rel=1e-5)


def test_a_whole_text_is_scored_after_one_such_token(begins):
    lm = IntervenedLM(begins, PLAIN, 4)
    (total,) = lm.loglikelihood_rolling([SimpleNamespace(args=(TEXT,))])
    assert total == pytest.approx(float(log_likelihoods(begins, begins.tokenizer(TEXT).input_ids).sum()), rel=1e-5)
    context, reply = "The river is", " long"
    ((scored, _),) = lm.loglikelihood([SimpleNamespace(args=(context, reply))])
    n = len(begins.tokenizer(context).input_ids)
    expected = log_likelihoods(begins, begins.tokenizer(context + reply).input_ids)[n - 1 :].sum()
    assert scored == pytest.approx(float(expected), rel=1e-5)


def asked(lm, context, **settings):
    """The reply to a context, and the number of forward passes that it took."""
    passes = []
    handle = lm._engine.module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        (reply,) = lm.generate_until([SimpleNamespace(args=(context, settings))])
    finally:
        handle.remove()
    return reply, len(passes)


def test_a_stop_string_stops_decoding(llama):
    lm = IntervenedLM(llama, PLAIN, 4)
    whole, n = asked(lm, "The river", max_gen_toks=40, until=[])
    assert n == 40
    stop = whole[5:8]
    reply, n = asked(lm, "The river", max_gen_toks=40, until=[stop])
    assert reply == whole[: whole.index(stop)]
    assert n < 20


def test_rows_stop_each_by_itself(llama):
    lm = IntervenedLM(llama, PLAIN, 4)
    contexts = ["The river", "Who was the first king?", "A"]
    settings = {"max_gen_toks": 24, "until": ["e", "r"]}
    together = lm.generate_until([SimpleNamespace(args=(context, settings)) for context in contexts])
    assert together == [asked(lm, context, **settings)[0] for context in contexts]


def test_a_budget_beyond_the_context_is_refused(llama):
    with pytest.raises(UserError, match="replies have 128 tokens, and untrained has a context of 128"):
        asked(IntervenedLM(llama, PLAIN, 4), "The river", max_gen_toks=128, until=[])


def test_the_tokenizers_own_end_ends_a_reply_too(llama):
    llama.module.generation_config.eos_token_id = [7, 9]
    assert stop_tokens(llama) == {7, 9, llama.tokenizer.eos_token_id}
    llama.module.generation_config.eos_token_id = None
    assert stop_tokens(llama) == {llama.tokenizer.eos_token_id}


def test_a_model_without_an_end_token_has_none(llama):
    llama.module.generation_config.eos_token_id = None
    assert stop_tokens(replace(llama, tokenizer=family("smollm"))) == set()


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("words", ["Which?\nAnswer:\n", " Which?", "Which? ", "a", "assistant", "You", "user"])
def test_a_document_keeps_its_words_in_formats_that_strip_white_space(name, words):
    tokenizer = family(name)
    text = chat_from_history([{"role": "user", "content": words}], tokenizer)
    assert text.text[slice(*text.spans[-1])] == words.strip()
    assert text.text == chat(Prompt(words), tokenizer).text


def test_a_format_without_a_system_role_says_so():
    history = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}]
    with pytest.raises(UserError, match="owner/gemma refuses the conversation: System role not supported"):
        chat_from_history(history, family("gemma"))


def test_the_source_of_full_replacement_has_the_precision_that_was_asked_for(tmp_path):
    tokenizer = byte_pairs(320)
    for name in ("source", "target"):
        untrained("llama").save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    target = load(str(tmp_path / "target"), dtype="bfloat16", device="cpu")
    pair = f"{tmp_path / 'source'}->{target.name}"
    condition = full_replacement("identity", pair, "1,1", target, "pocket", "bfloat16")
    row = condition.row(Example(Prompt("Who?"), None, ""), chat(Prompt("Who?"), tokenizer))
    assert row.follow.source.module.dtype == torch.bfloat16
