"""Steering on a model whose answer is known: what is added is what was planted."""

from dataclasses import replace

import pytest
import torch

from graftbench.benchmark.activations.capture import states_at, states_over, token_states
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.experiments.bench import Outcome
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.protocol import FitData
from graftbench.benchmark.experiments.steering.contrast import (
    capture_contrast,
    mean_state,
    relabelled,
    with_target_covariance,
)
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
from graftbench.benchmark.models.chat import chat, continued_chat, turn_chat
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.results.estimates import rate_of, resamples_of
from graftbench.benchmark.results.summary import summarise
from tests.benchmark.conftest import untrained, wrapped
from tests.benchmark.experiments.stubs import StubJudging


def design(model, contrast, **more):
    items = tuple(Example(Prompt(f"{i} Tell me about the river"), None, str(i)) for i in range(4))
    judging = StubJudging(lambda _, replies: [Outcome(True, True) for _ in replies])
    return SteeringDesign(model, model, (1, 1), contrast, items, items, judging=judging, judges="stub", **more)


def said(words, reply="", then=""):
    return Turn(Prompt(words), reply, then)


def test_a_vector_read_at_one_token_can_be_added_at_every_token(llama):
    one = design(llama, ((said("the roof"), said("the old fence")),), positions="last", added_at="all")
    vector = capture_contrast(llama, one, 1).vector
    assert vector.shape == (1, 16)
    text = chat(Prompt("So it is."), llama.tokenizer)
    (step,) = one.adding("native", vector).row(one.test[0], text).interventions
    assert step.positions is None
    assert torch.equal(step.vectors, vector.float())
    (alone,) = design(llama, one.contrast, positions="last").adding("x", vector).row(one.test[0], text).interventions
    assert alone.positions == (-1,)


def test_a_vector_that_goes_on_is_read_at_the_tokens_of_the_reply_and_added_to_them(llama):
    prompt, fact = "Who was the first king?", " the river of the north"
    one = design(llama, ((said(prompt, " Yes", fact), said(prompt, "", fact)),), positions="last", spoken=3)
    contrast = capture_contrast(llama, one, 1)
    whole = continued_chat(one.contrast[0][0], llama)
    n = len(token_ids(turn_chat(one.contrast[0][0], llama).text, llama.tokenizer))
    states = states_at(llama, [whole], 1, "prompt")[0]
    assert torch.allclose(contrast.desired[0], states[n - 1 : n + 3])
    (step,) = one.adding("native", contrast.vector).row(one.test[0], whole).interventions
    assert step.positions == (-1,)
    assert torch.equal(step.vectors, contrast.vector[:1].float())
    assert torch.equal(step.generated, contrast.vector[1:].float())
    assert one.places == ((-4, -3, -2, -1), (-4, -3, -2, -1))


def test_where_a_reply_ends_sooner_its_states_are_zero(llama):
    short, long = (chat(Prompt("So?"), llama.tokenizer).with_reply(r) for r in (" a", " the river of the north"))
    before = chat(Prompt("So?"), llama.tokenizer)
    states = states_over(llama, [(before, short), (before, long)], 1, 4)
    n_short = len(token_ids(short.text, llama.tokenizer)) - len(token_ids(before.text, llama.tokenizer))
    assert states[0, : 1 + n_short].abs().sum(-1).min() > 0
    assert states[0, 1 + n_short :].abs().max() == 0
    assert states[1].abs().sum(-1).min() > 0
    assert torch.allclose(states[0, 0], states[1, 0], atol=1e-5)


def test_sides_of_unlike_length_are_paired_from_the_right(llama):
    one = design(llama, ((said("the roof of the house"), said("the roof")),), positions="prompt")
    contrast = capture_contrast(llama, one, 1)
    assert contrast.desired.shape == contrast.undesired.shape
    assert contrast.desired.shape[1] > 3
    alone = contrast.desired.any(-1)[0] & ~contrast.undesired.any(-1)[0]
    assert not alone.any()  # what has no partner is no part of the vector
    assert not contrast.vector[0].any()
    assert contrast.vector[-3:].any(-1).all()
    last = design(llama, one.contrast, positions="last")
    assert torch.allclose(contrast.vector[-1], capture_contrast(llama, last, 1).vector[0])


def test_a_vector_that_goes_on_needs_one_tokenizer(llama):
    pair = (said("So?", " Yes", " it is"), said("So?", "", " it is"))
    one = design(llama, (pair,), positions="last", spoken=2)
    one.check()
    elsewhere = replace(one, source=wrapped(untrained("qwen2"), vocabulary=275))
    with pytest.raises(UserError, match="needs one tokenizer"):
        elsewhere.check()


@pytest.mark.parametrize(
    ("more", "first"), [({"positions": "last", "added_at": "all"}, "own"), ({"positions": "last"}, "last")]
)
def test_positions_that_may_be_tried_begin_with_its_own(llama, bench, more, first):
    one = design(llama, ((said("the roof"), said("the fence")),), **more)
    experiment = SteeringExperiment(one, bench, (1.0,), Draws(2, 1, 1), FitData(lambda _: (), ()))
    assert experiment.positions == (first, "prompt", -6, -5, -4, -3, -2, -1)


@pytest.mark.parametrize("positions", ["last", "prompt"])
def test_what_is_replaced_is_replaced_at_the_prompt_alone(llama, positions):
    pair = (said("the roof", "", " the"), said("the fence", "", " the"))
    one = design(llama, (pair,), positions=positions, spoken=2 if positions == "last" else 0)
    vector = capture_contrast(llama, one, 1).vector
    (step,) = one.replacing("mean_ablated", vector).row(one.test[0], turn_chat(pair[0], llama)).interventions
    assert step.positions is not None


def added(conditions, one, model):
    text = chat(Prompt("So it is."), model.tokenizer)
    return [condition.row(one.test[0], text).interventions[0].vectors for condition in conditions]


def test_random_vectors_lie_in_what_the_targets_states_span(llama):
    pairs = tuple((said(f"the {word}"), said(f"the old {word}")) for word in ("roof", "fence"))
    one = design(llama, pairs, positions="last")
    native = 2 * capture_contrast(llama, one, 1).vector
    conditions = with_target_covariance(one, native, 3, 2.0, seed=0)
    assert [(c.name, c.draw, c.strength) for c in conditions] == [("random_covariance", i, 2.0) for i in range(3)]
    vectors = torch.cat(added(conditions, one, llama))
    assert vectors.norm(dim=-1).tolist() == pytest.approx([float(native.norm())] * 3, rel=1e-5)
    states = token_states(llama, [turn_chat(undesired, llama) for _, undesired in pairs], 1)
    assert torch.allclose(mean_state(one, 1)[0], states.mean(0))
    centred = states - states.mean(0)
    inside = torch.linalg.lstsq(centred.T, vectors.double().T, driver="gelsd").solution
    assert torch.allclose(centred.T @ inside, vectors.double().T, atol=1e-5)
    assert with_target_covariance(one, native, 0, 2.0, seed=0) == []


def test_contrasts_are_relabelled_as_the_draws_say(llama):
    pairs = tuple((said(f"the {word}"), said(f"the old {word}")) for word in ("roof", "fence", "river", "house"))
    one = design(llama, pairs, positions="last")
    contrast = capture_contrast(llama, one, 1)
    permuted, balanced = (
        relabelled(one, contrast, Draws(2, 1, 2, balanced=balanced), 3.0, 1.0, seed=0) for balanced in (False, True)
    )
    for conditions in (permuted, balanced):
        assert [c.name for c in conditions] == ["random_contrast"] * 2
        assert torch.cat(added(conditions, one, llama)).norm(dim=-1).tolist() == pytest.approx([3, 3], rel=1e-5)
    differences = (contrast.desired - contrast.undesired)[:, 0]
    signs = torch.linalg.lstsq(differences.T, torch.cat(added(balanced, one, llama)).double().T).solution
    assert torch.allclose(signs.sum(0), torch.zeros(2, dtype=torch.float64), atol=1e-3 * float(signs.abs().max()))


def test_as_many_draws_as_are_asked_for_are_run_of_every_kind_and_have_rates(llama, bench):
    pairs = tuple((said(f"the {word}"), said(f"the old {word}")) for word in ("roof", "fence", "river", "house"))
    items = tuple(Example(Prompt(f"{i} the river"), said(f"{i} a river"), str(i)) for i in range(4))
    one = replace(design(llama, pairs, positions="last"), validation=items[:1], test=items[1:])
    draws = Draws(test=39, validation=1, contrast=2, covariance=20, balanced=True)
    answers = SteeringExperiment(one, bench, (1.0,), draws, FitData(lambda _: (), ())).reference()
    summary = summarise(answers, items, [item.id for item in items[1:]], {})
    counts = {name: len(each) for name, each in summary.bits.items()}
    expected = {"unsteered": 1, "native": 1, "random": 39, "random_contrast": 2, "random_covariance": 20}
    assert {name: counts[name] for name in expected} == expected
    resamples = resamples_of(summary.clusters, summary.bits, "random")
    assert all(rate_of(summary.bits, name, resamples).value == 1 for name in expected)
