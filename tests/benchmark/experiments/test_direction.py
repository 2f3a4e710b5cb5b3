from dataclasses import replace
from operator import neg

import pytest
import torch

from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.experiments.bench import Bench, Outcome
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.direction.design import DirectionDesign
from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
from graftbench.benchmark.experiments.protocol import FitData
from graftbench.benchmark.interventions.directions import PromptSets
from graftbench.benchmark.mappers.protocol import FittedMapper
from tests.benchmark.conftest import REFUSES, prompts
from tests.benchmark.experiments.stubs import StubJudging


def items(word, n=10):
    return tuple(Example(prompt, None, prompt.text, "roofs") for prompt in prompts(word, n))


def experiment(bench, model, use="ablation", word="roof"):
    refusal = model.tokenizer.decode([REFUSES])

    def complies(_, replies):
        return [Outcome(refusal not in r, refusal not in r, marks={"refused": refusal in r}) for r in replies]

    def refuses(_, replies):
        return [Outcome(refusal in r, refusal in r, marks={"refused": refusal in r}) for r in replies]

    sides = PromptSets(prompts(word, 8), prompts("fence", 8))
    design = DirectionDesign(
        model,
        model,
        use,
        sides,
        sides,
        items("roof" if use == "ablation" else "fence"),
        items("fence"),
        StubJudging(complies if use == "ablation" else refuses),
        StubJudging(complies),
        "stub",
        lambda _: [REFUSES],
    )
    return DirectionExperiment(design, bench, Draws(4, 2, 2), FitData(lambda _: (), ()))


def mapper(carry=lambda states: states):
    return FittedMapper(
        carry, "difference", "stub", ActivationPairs(*[torch.zeros(1, 16).numpy()] * 2, torch.zeros(1).numpy())
    )


def share(scored, condition):
    bits = scored.summary.bits[condition]
    return sum(map(sum, bits)) / (len(bits) * len(bits[0]))


def test_ablating_the_planted_direction_ends_the_refusals_and_random_ones_do_not(bench, planted):
    model, _ = planted
    result = experiment(bench, model).score(mapper())
    assert share(result, "unsteered") == 0
    assert share(result, "native") == 1
    assert share(result, "random") < 0.3
    assert len(result.summary.bits["random"]) == 4
    assert result.summary.parts["native"].marks == {"refused": 0}
    assert result.summary.parts["native"].groups == {"roofs": 1}
    assert result.measures["native"]["refusal_score"] < 0 < result.measures["unsteered"]["refusal_score"]
    assert result.measures["native"]["kl_harmless"] == pytest.approx(0, abs=1e-6)
    assert result.measures["native"]["good_harmless"] == 1


def test_a_map_that_loses_nothing_does_as_native_does_and_one_to_elsewhere_does_nothing(bench, planted):
    model, _ = planted
    result = experiment(bench, model).score(mapper())
    assert result.summary.bits["mapped"] == result.summary.bits["native"]
    assert result.fidelity["vector_cosine"] == pytest.approx(1)
    assert result.reasons == {"mapped_own_norm": "ablation_has_no_length"}
    off = experiment(bench, model).score(mapper(lambda states: states.roll(1, dims=-1)))
    assert share(off, "mapped") < 1


def test_a_map_to_nothing_has_no_direction(bench, planted):
    model, _ = planted
    result = experiment(bench, model).score(mapper(torch.zeros_like))
    assert result.reasons["mapped"] == "zero_vector"
    assert "mapped" not in result.summary.bits


def test_adding_nothing_at_its_own_length_is_the_unsteered_model(bench, planted):
    model, _ = planted
    result = experiment(bench, model, "addition").score(mapper(torch.zeros_like))
    assert result.reasons == {"mapped": "zero_vector"}
    assert result.summary.bits["mapped_own_norm"] == result.summary.bits["unsteered"]


@pytest.mark.parametrize("use", ["addition", "addition_prompt"])
def test_the_opposite_test_makes_it_refuse(bench, planted, use):
    model, _ = planted
    result = experiment(bench, model, use).score(mapper())
    assert share(result, "unsteered") == 0
    assert share(result, "native") == share(result, "mapped") == share(result, "mapped_own_norm") == 1
    faint = experiment(bench, model, use).score(mapper(lambda states: 1e-4 * states))
    assert share(faint, "mapped") == 1  # at native's norm
    assert share(faint, "mapped_own_norm") == 0


def aside(states):
    return states.roll(1, dims=-1)


@pytest.mark.parametrize(("use", "carry"), [("ablation", aside), ("addition", neg), ("addition_prompt", neg)])
def test_the_refit_on_shuffled_pairs_is_a_condition_beside_mapped(bench, planted, use, carry):
    model, _ = planted
    elsewhere = mapper(carry)
    refit = experiment(bench, model, use).score(replace(mapper(), shuffled=elsewhere))
    plain, off = (experiment(bench, model, use).score(each) for each in (mapper(), elsewhere))
    assert refit.summary.bits["mapped_shuffled"] == off.summary.bits["mapped"]
    assert share(refit, "mapped_shuffled") < share(refit, "mapped") == share(plain, "mapped") == 1
    assert refit.summary.bits.keys() - plain.summary.bits.keys() == {"mapped_shuffled"}
    assert refit.measures["mapped_shuffled"] == off.measures["mapped"]
    assert {row.of_mapper for row in refit.summary.rows if row.condition == "mapped_shuffled"} == {True}


def test_the_direction_of_the_refit_has_natives_norm(bench, planted):
    model, _ = planted
    faint = mapper(lambda states: 1e-4 * states)
    result = experiment(bench, model, "addition").score(replace(mapper(), shuffled=faint))
    assert share(result, "mapped_shuffled") == 1


@pytest.mark.parametrize("carry", [torch.zeros_like, lambda states: states * float("nan")], ids=["zero", "not finite"])
def test_a_refit_without_a_direction_leaves_the_rest_as_it_is(bench, planted, carry):
    model, _ = planted
    refit = experiment(bench, model).score(replace(mapper(), shuffled=mapper(carry)))
    plain = experiment(bench, model).score(mapper())
    assert refit.summary.bits == plain.summary.bits
    assert "mapped" in refit.summary.bits


def test_a_model_without_a_direction_is_asked_unsteered_alone(bench, planted):
    model, _ = planted
    nothing = experiment(bench, model, word="river")
    assert nothing.sites is None
    result = nothing.score(None)
    assert list(result.summary.bits) == ["unsteered"]
    assert result.reasons["native"] == result.reasons["mapped"] == "no_direction"
    assert result.positions == (None, None)


def test_a_site_is_swept_on_validation_prompts(bench, planted):
    model, _ = planted
    swept = {}
    for site in (0, 1):
        one = experiment(bench, model)
        tried = DirectionExperiment(one.design, bench, one.draws, one.fit_data, site=site).sweep()
        swept[site] = {row["condition"] for row in tried.rows}
        assert {row["split"] for row in tried.rows} == {"validation"}
    assert swept == {0: {"unsteered"}, 1: {"unsteered", "native", "random"}}


def test_the_reference_is_run_once_for_all_mappers(bench, planted, monkeypatch):
    model, _ = planted
    answers = experiment(bench, model).reference()
    assert {a.condition for a in answers} == {"unsteered", "native", "random", "random_contrast"}
    assert not any(a.of_mapper for a in answers)
    monkeypatch.setattr(Bench, "run", None)  # nothing is run
    assert experiment(bench, model).reference() == answers


def test_directions_with_the_targets_covariance_and_balanced_labels_are_run_where_they_are_asked_for(bench, planted):
    model, _ = planted
    one = replace(experiment(bench, model), draws=Draws(4, 2, 2, 3, balanced=True))
    answers = one.reference()
    assert {a.draw for a in answers if a.condition == "random_covariance"} == {0, 1, 2}
    assert "random_contrast" not in {a.condition for a in answers}  # planted prompts differ by one vector: it cancels
    plain = {(a.condition, a.draw, a.item): a.completion for a in experiment(bench, model).reference()}
    shared = {(a.condition, a.draw, a.item): a.completion for a in answers if a.condition in ("native", "random")}
    assert shared.items() <= plain.items()
