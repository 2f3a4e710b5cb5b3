"""Likelihoods of replies, and of continuations whose contexts are read once, on every known architecture."""

from dataclasses import replace

import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.likelihoods import (
    ContinuationRow,
    continuation_likelihoods,
    perplexity,
    reply_likelihoods,
    reply_states,
)
from graftbench.benchmark.interventions.logits import logits_of_states
from graftbench.benchmark.interventions.operators import Ablate, Add
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.tokens import token_ids
from tests.benchmark.conftest import WORDS

CONTEXTS = [[5, 9, 30, 31, 77], [8, 8, 200], [6, 12, 13, 14, 15, 16, 90]]
ENDS = [[40, 41], [42], [43, 44, 45, 46]]


def rows(model, steps):
    return [
        ContinuationRow(str(i), context + end[:-1], end, steps) for i, context in enumerate(CONTEXTS) for end in ENDS
    ]


def one_by_one(model, read):
    """The likelihood of a row from all of its logits at once."""
    ids = torch.tensor([[*read.ids]])
    with torch.no_grad(), Batch([read.interventions]).on(model.blocks):
        logits = model.module(ids, use_cache=False).logits[0, -len(read.predicted) :].double()
    said = torch.tensor(read.predicted)
    return float(logits.log_softmax(-1).gather(-1, said[:, None]).sum()), logits.argmax(-1).tolist() == said.tolist()


def vectors(model, n):
    return 3 * torch.randn(n, model.d, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("what", ["nothing", "everywhere", "in the context", "in both", "ablated"])
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_contexts_that_are_read_once_give_what_each_row_gives_by_itself(model, what, batch_size):
    if what == "in both" or what == "in the context":
        asked = []
        for read in rows(
            model, ()
        ):  # the last token of the context, and the first of the continuation where it is read
            after = read.n_after
            where = (-1 - after, -after) if what == "in both" and after else (-1 - after,)
            asked.append(replace(read, interventions=(Add(1, vectors(model, 2)[: len(where)], where),)))
    else:
        steps = {
            "nothing": (),
            "everywhere": (Add(1, vectors(model, 1)[0], None),),
            "ablated": (Ablate(vectors(model, 1)[0]),),
        }[what]
        asked = rows(model, steps)
    for (likelihood, likeliest), read in zip(continuation_likelihoods(model, asked, batch_size), asked, strict=True):
        expected, greedy = one_by_one(model, read)
        assert likelihood == pytest.approx(expected, abs=1e-3)
        assert likeliest == greedy


def test_the_likeliest_continuation_is_known_as_such(llama):
    with torch.no_grad():
        first = int(llama.module(torch.tensor([CONTEXTS[0]])).logits[0, -1].argmax())
    likelihoods = continuation_likelihoods(
        llama, [ContinuationRow("a", CONTEXTS[0], [first], ()), ContinuationRow("b", CONTEXTS[1], [7], ())], 8
    )
    assert likelihoods[0][1]


def replies(model, steps=()):
    """Rows that end with a reply, and for each its logits [1 + tokens, vocabulary], all at once, and its tokens."""
    rows, logits, tokens = [], [], []
    for words, reply in zip(WORDS[:2], (" So it is.", " No."), strict=True):
        text = chat(Prompt(words), model.tokenizer).with_reply(reply)
        ids = token_ids(text.text, model.tokenizer)
        start = len(token_ids(text.text[: text.spans[-1][0]], model.tokenizer))
        with torch.inference_mode(), Batch([steps]).on(model.blocks):
            logits.append(model.module(torch.tensor([ids]), use_cache=False).logits[0, start - 1 :].double())
        rows.append(Row(text, steps))
        tokens.append(ids[start:])
    return rows, logits, tokens


def test_the_states_of_a_reply_predict_each_of_its_tokens_and_what_follows(model):
    rows, logits, _ = replies(model, (Add(1, vectors(model, 1)[0], (-2,)),))
    for states, expected in zip(reply_states(model, rows), logits, strict=True):
        assert torch.allclose(logits_of_states(model, states).double(), expected, atol=1e-4)


def test_a_reply_without_a_first_token_of_its_own_is_refused(llama):
    text = Chat("<s>Who was the first", ((0, 3), (5, 20)))  # within the token `Who`
    with pytest.raises(UserError, match="joins the end of a prompt and the beginning of its reply"):
        reply_states(llama, [Row(text)])


def test_a_continuation_of_tokens_without_an_embedding_is_refused(llama):
    with pytest.raises(UserError, match="embeddings of 320 tokens, and its tokenizer gives token 320"):
        continuation_likelihoods(llama, [ContinuationRow("", [5, 6], [320], ())], 1)


def test_the_likelihood_of_a_reply_is_that_of_its_whole_distributions(model):
    rows, logits, tokens = replies(model)
    expected = [
        float(each[:-1].log_softmax(-1).gather(-1, torch.tensor(ids)[:, None]).sum())
        for each, ids in zip(logits, tokens, strict=True)
    ]
    assert reply_likelihoods(model, rows).tolist() == pytest.approx(expected, rel=1e-6)


def test_perplexity_is_that_of_the_models_own_loss(model):
    text, said = chat(Prompt(WORDS[0]), model.tokenizer), (5, 9, 2)
    prompt = token_ids(text.text, model.tokenizer)
    labels = [-100] * len(prompt) + list(said)
    with torch.inference_mode():
        loss = model.module(torch.tensor([[*prompt, *said]]), labels=torch.tensor([labels])).loss
    assert perplexity(model, [(text, said)]) == pytest.approx(float(loss.double().exp()), rel=1e-6)
