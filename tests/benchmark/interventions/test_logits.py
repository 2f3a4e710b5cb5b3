"""Likelihoods of continuations whose contexts are read once, on every known architecture."""

from dataclasses import replace

import pytest
import torch

from graftbench.benchmark.capability.deployment import Deployment
from graftbench.benchmark.capability.language_modelling import head, states_of
from graftbench.benchmark.data.corpora import Text
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.logits import ContinuationRow, continuation_likelihoods
from graftbench.benchmark.interventions.operators import Ablate, Add

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
    for (found, likeliest), read in zip(continuation_likelihoods(model, asked, batch_size), asked, strict=True):
        expected, greedy = one_by_one(model, read)
        assert found == pytest.approx(expected, abs=1e-3)
        assert likeliest == greedy


def test_the_likeliest_continuation_is_known_as_such(llama):
    with torch.no_grad():
        first = int(llama.module(torch.tensor([CONTEXTS[0]])).logits[0, -1].argmax())
    found = continuation_likelihoods(
        llama, [ContinuationRow("a", CONTEXTS[0], [first], ()), ContinuationRow("b", CONTEXTS[1], [7], ())], 8
    )
    assert found[0][1]


def test_a_models_head_gives_what_the_model_gives(model):
    (found,) = states_of(model, Deployment(Condition("unsteered")), [Text("one two", " three four")])
    asked = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": "one two"}], tokenize=False, add_generation_prompt=True
    )
    ids = model.tokenizer(asked + " three four", add_special_tokens=False, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model.module(ids).logits[0, -len(found.predicted) - 1 : -1]
    assert torch.allclose(head(model, found.last), logits.float(), atol=1e-4)
