"""Interventions on every row of any call of a model, on every known architecture."""

import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.every_row import for_every_row
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.operators import Ablate, Add, Replace, Rewrite
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import pad, token_ids
from tests.benchmark.conftest import WORDS

N = 8


def vectors(*shape):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(4))


STEPS = {
    "added at all positions": Add(1, vectors(16), None),
    "added at the last token of the prompt": Add(1, vectors(16), (-1,)),
    "added at two tokens of the prompt": Add(2, vectors(2, 16), (-4, -2)),
    "added at the prompt's last token and two generated ones": Add(1, vectors(1, 16), (-1,), vectors(2, 16)),
    "replaced at the last token of the prompt": Replace(1, vectors(16), (-1,)),
    "rewritten": Rewrite(1, torch.tanh, "tanh"),
    "ablated": Ablate(vectors(16)),
}


def texts(model, n_rows):
    return [chat(Prompt(words), model.tokenizer) for words in WORDS[:n_rows]]


def inputs(model, n_rows):
    padded = pad([token_ids(text.text, model.tokenizer) for text in texts(model, n_rows)], model)
    return {name: padded[name] for name in ("input_ids", "attention_mask")}


def generated(model, n_rows, **settings):
    """The tokens [rows, new] of transformers' own generate."""
    asked = inputs(model, n_rows)
    tokens = model.module.generate(**asked, max_new_tokens=N, **{"do_sample": False, **settings})
    return tokens[:, asked["input_ids"].shape[1] :]


def cut(model, row):
    """The tokens up to the end of a reply, without padding."""
    tokens = row.tolist()
    end = model.tokenizer.eos_token_id
    return tuple(tokens[: tokens.index(end) + 1] if end in tokens else tokens)


def n_hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.module.modules())


@pytest.mark.parametrize("use_cache", [True, False], ids=["with a cache", "without a cache"])
@pytest.mark.parametrize("n_rows", [1, 3])
@pytest.mark.parametrize("kind", STEPS)
def test_transformers_generate_gives_what_the_engine_gives_rows_of_their_own(model, kind, n_rows, use_cache):
    steps = (STEPS[kind],)
    expected = generate(model, [Row(text, steps) for text in texts(model, n_rows)], max_new_tokens=N)
    with for_every_row(model, steps):
        tokens = generated(model, n_rows, use_cache=use_cache)
    assert [cut(model, row) for row in tokens] == [completion.tokens for completion in expected]


def test_every_kind_of_intervention_changes_what_is_generated(llama):
    plain = generated(llama, 3)
    for step in STEPS.values():
        with for_every_row(llama, (step,)):
            assert not torch.equal(generated(llama, 3), plain)


def logits(model, n_rows):
    """The logits [steps, rows, vocabulary] that greedy decoding sees."""
    made = model.module.generate(
        **inputs(model, n_rows), max_new_tokens=N, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    return torch.stack(made.logits)


@pytest.mark.parametrize("positions", [None, (-1,)])
def test_strength_zero_changes_no_bit(model, positions):
    plain = logits(model, 3)
    with for_every_row(model, (Add(1, 0 * vectors(16), positions),)):
        assert torch.equal(logits(model, 3), plain)


@pytest.mark.parametrize("kind", STEPS)
def test_beams_are_rows_with_and_without_a_cache(llama, kind):
    with for_every_row(llama, (STEPS[kind],)):
        cached, uncached = (generated(llama, 3, num_beams=2, use_cache=use) for use in (True, False))
        greedy = generated(llama, 3)
    assert torch.equal(cached, uncached)
    assert not torch.equal(cached, greedy)


def test_each_call_begins_with_a_prompt_of_its_own(llama):
    step = STEPS["added at the last token of the prompt"]
    with for_every_row(llama, (step,)):
        together = [generated(llama, n, use_cache=use) for n in (3, 1) for use in (True, False)]
    for (n, use), tokens in zip([(n, use) for n in (3, 1) for use in (True, False)], together, strict=True):
        with for_every_row(llama, (step,)):
            assert torch.equal(generated(llama, n, use_cache=use), tokens)


def test_a_prompt_of_one_token_is_a_prompt(llama):
    ids = torch.tensor([[9]])
    with for_every_row(llama, (Add(1, vectors(16), (-1,)),)), torch.inference_mode():
        steered = llama.module(ids).logits
    assert not torch.equal(steered, llama.module(ids).logits)


def test_all_hooks_come_off_when_the_work_fails(model):
    def fail():
        with for_every_row(model, tuple(STEPS.values())):
            assert n_hooks(model) > 0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert n_hooks(model) == 0


def test_a_position_that_is_padding_or_lies_before_a_prompt_is_refused(llama):
    asked = inputs(llama, 3)
    n_shortest = int(asked["attention_mask"].sum(1).min())
    for position in (-n_shortest - 1, -1000):
        with (
            for_every_row(llama, (Add(1, vectors(16), (position,)),)),
            pytest.raises(UserError, match=f"no token at position {position}"),
        ):
            llama.module(**asked)
    flipped = {name: values.flip(1) for name, values in asked.items()}
    with for_every_row(llama, (Add(1, vectors(16), (-1,)),)), pytest.raises(UserError, match="pad on the left"):
        llama.module(**flipped)


def test_a_prompt_in_several_passes_is_refused_where_positions_count(llama):
    with for_every_row(llama, (STEPS["added at the last token of the prompt"],)):
        cache = llama.module(torch.tensor([[5, 6, 7]]), use_cache=True).past_key_values
        with pytest.raises(UserError, match="read in one pass"):
            llama.module(torch.tensor([[8, 9]]), past_key_values=cache)
    with for_every_row(llama, (STEPS["added at all positions"],)):
        llama.module(torch.tensor([[8, 9]]), past_key_values=cache)


def test_a_vector_that_learns_is_read_anew_in_every_pass(llama):
    vector = vectors(16).requires_grad_()
    asked, losses = inputs(llama, 2), []
    with for_every_row(llama, (Add(1, vector, None),)):
        for _ in range(2):
            loss = llama.module(**asked).logits.square().mean()
            loss.backward()
            losses.append(loss.item())
            with torch.no_grad():
                vector -= 0.1 * vector.grad / vector.grad.norm()
                vector.grad = None
    assert losses[1] < losses[0]


def test_what_was_made_for_generation_does_for_gradients_too(llama):
    asked = inputs(llama, 2)
    with for_every_row(llama, (Replace(1, vectors(16), (-1,)), Add(1, vectors(16), None))):
        with torch.inference_mode():
            wanted = llama.module(**asked).logits.clone()
        logits = llama.module(**asked).logits
        logits.sum().backward()
    assert torch.equal(logits.detach(), wanted)
