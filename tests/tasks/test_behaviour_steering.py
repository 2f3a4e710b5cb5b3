"""Steering towards a behaviour that is planted in a model: a direction of the stream that makes one token likelier."""

from dataclasses import replace

import pytest
import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.propensity.design import PropensityDesign
from graftbench.benchmark.experiments.propensity.experiment import PropensityExperiment, steerability
from graftbench.benchmark.experiments.propensity.readings import read
from graftbench.benchmark.experiments.protocol import FitData
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.likelihoods import reply_likelihoods
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.results.estimates import resamples_of, transfer_of
from graftbench.benchmark.results.rows import Answer
from graftbench.tasks.behaviour_steering import BehaviourSteering
from tests.benchmark.conftest import untrained, wrapped

SHOWS, OTHER = "A", "B"  # tokens each


@pytest.fixture(scope="module")
def model():
    """A model whose last blocks write nothing: what is added to the stream after the first goes to the head."""
    module = untrained("llama", tie_word_embeddings=False)
    for block in module.model.layers[1:]:
        torch.nn.init.zeros_(block.self_attn.o_proj.weight)
        torch.nn.init.zeros_(block.mlp.down_proj.weight)
    return wrapped(module)


@pytest.fixture(scope="module")
def towards(model):
    """The direction [d] that makes the first token of one reply likelier than that of the other."""
    head = model.module.lm_head.weight.detach().double()
    first, other = (token_ids(reply, model.tokenizer)[0] for reply in (SHOWS, OTHER))
    return head[first] - head[other]


def examples(word, n):
    return tuple(Example(Prompt(f"{word} {i}?"), None, f"{word} {i}", "", SHOWS, OTHER) for i in range(n))


CONTRAST = tuple((Turn(Prompt(f"Yes {i}")), Turn(Prompt(f"No {i}"))) for i in range(6))


def design(model, **more):
    settings = {"positions": "last", "added_at": "all", "task": "behaviour_steering/1"} | more
    return PropensityDesign(model, model, (1, 1), CONTRAST, examples("Where", 24), examples("Who", 32), **settings)


def bench(tmp_path):
    return Bench(Store(tmp_path), 64, 8, lambda *_: None)


def experiment(model, tmp_path, **more):
    made = design(model, **more)
    return PropensityExperiment(made, bench(tmp_path), (0.5, 1.0), Draws(4, 2, 2), FitData(lambda _: (), ()))


def test_a_propensity_is_the_difference_of_mean_log_likelihoods(model, tmp_path):
    items = examples("Who", 3)
    ((*readings,),) = read(bench(tmp_path), design(model), items, [Condition("unsteered")], "read")
    for item, reading in zip(items, readings, strict=True):
        text = chat(item.prompt, model.tokenizer)
        for reply, found in ((SHOWS, reading.shows), (OTHER, reading.other)):
            whole = reply_likelihoods(model, [Row(text.with_reply(reply))])
            assert found == pytest.approx(float(whole[0]) / len(token_ids(reply, model.tokenizer)), rel=1e-5)
        assert reading.propensity == reading.shows - reading.other


@pytest.mark.parametrize("added_at", ["all", None])
def test_strength_0_shifts_nothing_and_conditions_read_together_are_as_each_alone(model, towards, tmp_path, added_at):
    made = design(model, added_at=added_at)
    conditions = [Condition("unsteered"), *(made.adding("native", s * towards[None], 0, s) for s in (0.0, 1.0, -2.0))]
    together = read(bench(tmp_path), made, examples("Who", 5), conditions, "together")
    assert together[0] == together[1]
    alone = [read(bench(tmp_path), made, examples("Who", 5), [each], "alone")[0] for each in conditions]
    for one, other in zip(together, alone, strict=True):
        assert [r.propensity for r in one] == pytest.approx([r.propensity for r in other], abs=1e-4)


def test_a_vector_at_the_last_token_acts_there_and_not_in_the_reply(model, towards, tmp_path):
    short = examples("Who", 1)[0]
    longer = replace(short, reference="AB", other="BA")
    last, everywhere = design(model, added_at=None), design(model)

    def change(made, item):
        conditions = [Condition("unsteered"), made.adding("native", 3 * towards[None], 0, 1.0)]
        (before,), (after,) = read(bench(tmp_path), made, [item], conditions, "read")
        return after.shows - before.shows

    of_first_token = change(last, short)
    assert of_first_token > 0.1
    assert change(last, longer) == pytest.approx(of_first_token / 2, abs=1e-5)  # a mean over two tokens
    assert change(everywhere, longer) < change(last, longer) - 0.1  # away from the second token


def identity(rule="difference", scale=1.0):
    return FittedMapper(lambda source: scale * source, rule, str(scale), None)


def test_a_model_carried_to_itself_loses_nothing(model, tmp_path):
    scored = experiment(model, tmp_path).score(identity())
    bits = scored.summary.bits
    assert bits["mapped"] == bits["native"]
    assert bits["unsteered"] == [[0] * 32]
    assert len(bits["random"]) == 4
    assert scored.fidelity["vector_cosine"] == pytest.approx(1.0, abs=1e-6)
    assert scored.measures["mapped"]["steerability"] == pytest.approx(
        scored.measures["native"]["steerability"], abs=1e-4
    )
    own = scored.summary.parts["mapped_own_norm"].marks
    assert own["shift"] == pytest.approx(scored.summary.parts["native"].marks["shift"], abs=1e-4)


def test_the_refit_on_shuffled_pairs_is_a_condition_beside_mapped_unless_it_is_not_finite(model, tmp_path):
    mapper, opposite = identity(), identity("difference", -1.0)
    scored = experiment(model, tmp_path).score(replace(mapper, shuffled=opposite))
    bits = scored.summary.bits
    assert bits["mapped"] == bits["native"]
    assert bits["mapped_shuffled"] == experiment(model, tmp_path).score(opposite).summary.bits["mapped"]
    broken = replace(mapper, shuffled=identity("difference", float("nan")))
    assert "mapped_shuffled" not in experiment(model, tmp_path).score(broken).summary.bits


def test_what_is_opposite_moves_the_other_way(model, tmp_path):
    scored = experiment(model, tmp_path).score(identity("difference", -1.0))
    native, mapped = (scored.summary.parts[name].marks["shift"] for name in ("native", "mapped"))
    assert (native > 0) != (mapped > 0)
    assert scored.measures["mapped"]["steerability"] * scored.measures["native"]["steerability"] < 0


def test_a_planted_direction_is_found_and_steers(model, towards, tmp_path, monkeypatch):
    """The contrast is replaced by states that differ by the planted direction: native is above random vectors."""
    from graftbench.benchmark.experiments.steering.contrast import Contrast

    noise = torch.randn(6, 1, model.d, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 20
    planted = Contrast(noise + towards[None, None], noise.flip(0))
    for room in ("propensity.reference", "steering.any_text"):
        monkeypatch.setattr(f"graftbench.benchmark.experiments.{room}.cached_contrast", lambda *_: planted)
    scored = experiment(model, tmp_path).score(identity())
    bits, clusters = scored.summary.bits, scored.summary.clusters
    assert sum(bits["native"][0]) == 32
    assert scored.summary.parts["native"].marks["shift"] > 5 * abs(scored.summary.parts["random"].marks["shift"])
    transfer = transfer_of(bits, "random", resamples_of(clusters, bits, "random"))
    assert transfer.value == pytest.approx(1.0)


def answer(condition, strength, item, shift, draw=0):
    marks = {"propensity": 0.0, "shift": shift, "likelihood": 0.0}
    return Answer("validation", item, "", condition, draw, strength, "", True, True, "", marks, False)


def test_steerability_is_the_slope_over_both_signs():
    straight = [answer("native", s, item, slope * s) for s in (-1.0, 1.0, 2.0) for item, slope in (("a", 3), ("b", 1))]
    level = [answer("random", s, "a", abs(s), draw) for s in (-1.0, 1.0) for draw in (0, 1)]
    found = steerability([*straight, *level, answer("unsteered", None, "a", 0.0)])
    assert found == {"native": {"steerability": 2.0, "spread": 1.0}, "random": {"steerability": 0.0, "spread": 0.0}}


def test_a_prompt_without_both_replies_is_a_users_mistake(model, tmp_path):
    lacking = tuple(replace(example, other=None) for example in examples("Who", 2))
    made = replace(experiment(model, tmp_path), design=replace(design(model), test=lacking))
    with pytest.raises(UserError, match="'Who 0.' needs two replies"):
        made.reference()


def test_a_judge_is_refused():
    with pytest.raises(UserError, match="judges nothing: leave out the judge of 'good'"):
        BehaviourSteering().judges({"good": "exact"}, dataset_named("styles"))


def test_styles_have_enough_of_everything_and_no_thing_in_two_splits():
    styles = dataset_named("styles")
    variants = BehaviourSteering().variants(styles)
    assert [name for name, each in variants.items() if not each.needs_judge] == list(styles.behaviours)
    assert [name for name, each in variants.items() if each.needs_judge] == [
        f"{name}_open" for name in styles.behaviours
    ]
    assert len(styles.behaviours) == 9
    for name in styles.behaviours:
        by_split = {split: styles.examples(name, split, 999) for split in ("validation", "test")}
        assert len(by_split["test"]) >= 160
        assert len(by_split["validation"]) >= 80
        assert not {e.cluster for e in by_split["test"]} & {e.cluster for e in by_split["validation"]}
        assert all(e.reference and e.other and e.reference != e.other for e in by_split["test"])
        assert all(e.prompt.text in e.clean.prompt.text != e.prompt.text for e in by_split["test"])
        assert len(styles.contrast(name, 999).pairs) >= 50
        shown = {prompt.text for prompt, _ in styles.conversations(name, "fit", "task", 999)}
        unseen = {prompt.text for prompt, _ in styles.conversations(name, "fit", "unseen", 999)}
        assert unseen < shown
        assert not any("Answer" in prompt for prompt in unseen)
