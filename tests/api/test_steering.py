import pytest
import torch

import graftbench as gb
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import pad, token_ids
from tests.api.conftest import PROMPTS

N = 12


@pytest.fixture
def vector(model):
    return gb.steering_vector(model, PROMPTS[:1], PROMPTS[1:], site=1, positions="all", strength=3.0)


def inputs_of(model, prompts):
    rows = [token_ids(chat(gb.Prompt(prompt), model.tokenizer).text, model.tokenizer) for prompt in prompts]
    padded = pad(rows, model)
    return {"input_ids": padded["input_ids"], "attention_mask": padded["attention_mask"]}


def by_its_own_generate(model, prompts):
    inputs = inputs_of(model, prompts)
    made = model.module.generate(**inputs, max_new_tokens=N, do_sample=False, pad_token_id=0)
    return [
        text.strip()
        for text in model.tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    ]


def n_hooks(model):
    return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.module.modules())


def test_captured_states_are_the_hidden_states_of_transformers(model):
    inputs = inputs_of(model, PROMPTS)
    hidden = model.module(**inputs, output_hidden_states=True).hidden_states
    for site in range(len(model.blocks)):
        states = gb.capture(model, PROMPTS, site)
        assert (states.shape, states.dtype) == ((3, 1, model.d), torch.float32)
        assert torch.allclose(states[:, 0], hidden[site][:, -1], atol=1e-5)
        assert torch.allclose(gb.capture(model, PROMPTS, site, positions=-3)[:, 0], hidden[site][:, -3], atol=1e-5)


def test_states_at_every_token_of_a_prompt_have_zeros_where_a_shorter_one_has_none(model):
    lengths = inputs_of(model, PROMPTS)["attention_mask"].sum(1)
    states = gb.capture(model, PROMPTS, 1, positions="prompt")
    assert states.shape == (3, lengths.max(), model.d)
    for row, n in zip(states, lengths, strict=True):
        assert not row[: len(row) - n].any()
        assert row[len(row) - n :].any(-1).all()


@pytest.mark.parametrize("positions", ["all", "last", "prompt", -2])
def test_strength_zero_is_no_intervention(model, positions):
    vector = gb.steering_vector(model, PROMPTS[:1], PROMPTS[1:], site=1, positions=positions)
    assert gb.generate(model, PROMPTS, vector, strength=0.0, max_new_tokens=N) == gb.generate(
        model, PROMPTS, max_new_tokens=N
    )


@pytest.mark.parametrize("positions", ["all", "last", -2])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_steered_model_generates_by_itself_what_generate_says(model, batch, positions):
    vector = gb.steering_vector(model, PROMPTS[:1], PROMPTS[1:], site=1, positions=positions, strength=3.0)
    expected = gb.generate(model, PROMPTS, vector, max_new_tokens=N)
    with gb.steer(model, vector):
        said = [reply for i in range(0, 3, batch) for reply in by_its_own_generate(model, PROMPTS[i : i + batch])]
    assert said == expected
    assert expected != gb.generate(model, PROMPTS, max_new_tokens=N)


def test_an_ablated_direction_is_ablated_in_any_batch(model):
    vector = gb.steering_vector(model, PROMPTS[:1], PROMPTS[1:], site=1, kind="ablate")
    expected = gb.generate(model, PROMPTS, vector, max_new_tokens=N)
    with gb.steer(model, vector):
        assert by_its_own_generate(model, PROMPTS) == expected


def test_a_given_strength_takes_the_place_of_the_vector_s_own(model, vector):
    doubled = gb.generate(model, PROMPTS, vector.at_strength(6.0), max_new_tokens=N)
    assert gb.generate(model, PROMPTS, vector, strength=6.0, max_new_tokens=N) == doubled
    with gb.steer(model, vector, strength=6.0):
        assert by_its_own_generate(model, PROMPTS) == doubled


def test_replies_do_not_depend_on_the_batch_size(model, vector):
    together = gb.generate(model, PROMPTS, vector, max_new_tokens=N)
    assert gb.generate(model, PROMPTS, vector, max_new_tokens=N, batch_size=1) == together


def test_a_turn_is_answered_from_where_its_reply_stands(model):
    whole = gb.generate(model, PROMPTS[:1], max_new_tokens=N)[0]
    turn = gb.Turn(gb.Prompt(PROMPTS[0]), reply=whole[:1])
    assert whole.startswith(whole[:1] + gb.generate(model, [turn], max_new_tokens=2)[0][:1])


def test_hooks_are_gone_after_an_exception(model, vector):
    with pytest.raises(ValueError, match="input_ids"), gb.steer(model, vector):
        model.module()
    with gb.steer(model, vector):
        assert n_hooks(model) > 0
    assert n_hooks(model) == 0


def test_mistakes_are_one_sentence(model, vector):
    def fails(call, *words):
        with pytest.raises(gb.UserError) as error:
            call()
        assert all(word in str(error.value) for word in words), error.value
        assert n_hooks(model) == 0

    def steered(vector, **options):
        with gb.steer(model, vector, **options):
            pass

    narrow = gb.SteeringVector(torch.ones(5), vector.about)
    elsewhere = gb.SteeringVector(vector.vector, vector.about.model_copy(update={"site": 7}))
    everywhere = gb.SteeringVector(vector.vector, vector.about.model_copy(update={"positions": "prompt"}))
    fails(lambda: gb.capture(model, [], 1), "no prompts")
    fails(lambda: gb.capture(model, "one", 1), "as a list")
    fails(lambda: gb.capture(model, ["one", " "], 1), "Prompt 1 is empty")
    fails(lambda: gb.capture(model, [3], 1), "Prompt 0 is a int")
    fails(lambda: gb.capture(model, PROMPTS, 3), "has no site 3; its sites are 0 to 2")
    fails(lambda: gb.capture(model, PROMPTS, 1, positions="all"), "'all'")
    fails(lambda: gb.capture(model, PROMPTS, 1, positions="middle"), "'middle'")
    fails(lambda: gb.capture(model, PROMPTS, 1, positions=-99), "no position -99")
    fails(lambda: gb.capture(model, PROMPTS, 1, positions="trigger"), "no trigger")
    fails(lambda: gb.generate(model, PROMPTS, narrow), "width 5", "has 16")
    fails(lambda: gb.generate(model, PROMPTS, elsewhere), "no site 7")
    fails(lambda: gb.generate(model, PROMPTS, torch.ones(16)), "no SteeringVector")
    fails(lambda: gb.generate(model, PROMPTS, strength=1.0), "A strength needs a vector.")
    fails(lambda: gb.generate(model, PROMPTS, max_new_tokens=-3), "max_new_tokens", "not -3")
    fails(lambda: gb.capture(model, PROMPTS, "1"), "no site '1'")
    fails(lambda: steered(None), "no vector to steer by")
    fails(lambda: steered(narrow), "width 5")
    fails(lambda: steered(elsewhere), "no site 7")
    fails(lambda: steered(everywhere), "use `generate`")


def test_a_model_without_a_chat_template_says_so(model):
    model.tokenizer.chat_template, template = None, model.tokenizer.chat_template
    try:
        with pytest.raises(gb.UserError, match="no chat template"):
            gb.generate(model, PROMPTS)
    finally:
        model.tokenizer.chat_template = template


def test_an_unknown_dtype_or_model_names_the_known_ones():
    with pytest.raises(gb.UserError, match=r"no dtype 'bfloat' for models. Did you mean bfloat16\?"):
        gb.load_model("llama-s-hate", dtype="bfloat")
    with pytest.raises(gb.UserError, match=r"Did you mean llama-s-hate\?"):
        gb.load_model("llama-s-hat")
