"""Open variants of behaviour steering, on a model that says # where a roof is read, by one direction of its stream."""

import json

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.dataset import About, Behaviour
from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, PairLine, Placed
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import run_conditions
from graftbench.benchmark.experiments.protocol import Order
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.results.estimates import resamples_of, transfer_of
from graftbench.benchmark.runs.plan import planned
from graftbench.benchmark.runs.suite import Suite
from graftbench.judges.protocol import Case
from graftbench.tasks.behaviour_steering import BehaviourSteering
from tests.benchmark.conftest import planted  # noqa: F401 (a fixture)

TASK = BehaviourSteering()
STYLES = dataset_named("styles")
SAYS_SO = {"hashes": r"pattern:\A#+\Z", "good": "pattern:."}
SETTINGS = {
    "vector": 6,
    "validation": 4,
    "test": 8,
    "fit": 20,
    "strengths": [1.0, 2.0],
    "draws": {"test": 8, "validation": 2, "contrast": 2},
}


def asked(about, thing):
    return f"{about} Tell me about the {thing} {about[-1]}"


def lines():
    for i in range(6):  # roofs of unlike number, so that pairs differ by unlike vectors
        yield PairLine(desired=asked(f"pair {i}", "roof " * (1 + i % 3)), undesired=asked(f"pair {i}", "fence"))
    for split, n in (("validation", 4), ("test", 8)):
        for about in (f"{split} {i}" for i in range(n)):
            yield ExampleLine(
                prompt=asked(about, "river"), clean=asked(about, "roof"), cluster=about, split=split, reference="So."
            )
    for i in range(20):
        yield ConversationLine(prompt=f"Who {i}?", reply="So.", split="fit")


def dataset(*more):
    behaviour = Behaviour("steering", ("instruct",), "hashes", positions="last", everywhere=True)
    placed = [Placed(f"line {i}", line) for i, line in enumerate([*more, *lines()])]
    return LineDataset("d", 1, About("Title"), {"hashes": behaviour}, lambda: placed)


def ordered(variant="hashes_open", **judges):
    return Order(variant, "a", "b", (1, 1), SETTINGS, judges)


@pytest.fixture
def experiment(planted, tmp_path):  # noqa: F811
    bench = Bench(Store(tmp_path), 16, 6, lambda *_: None)
    return TASK.experiment(ordered(**SAYS_SO), dataset(), lambda *_: planted[0], bench)


def scored(experiment, carry):
    return experiment.score(FittedMapper(carry, "difference", "name", None))


def test_a_planted_direction_makes_the_model_say_so(experiment):
    result = scored(experiment, lambda source: source)
    bits = result.summary.bits
    assert bits["unsteered"] == [[0] * 8]
    assert bits["native"] == bits["mapped"] == bits["mapped_own_norm"] == bits["mapped_best"] == [[1] * 8]
    assert [0] * 8 in bits["random"]  # one that points away from the planted direction
    assert {"mean_ablated", "random_contrast"} <= set(bits)
    assert result.summary.parts["native"].equal_clean == 1
    transfer = transfer_of(bits, "random", resamples_of(result.summary.clusters, bits, "random"))
    assert transfer.value == pytest.approx(1.0)


def test_what_is_carried_the_wrong_way_does_not(experiment):
    bits = scored(experiment, lambda source: -source).summary.bits
    assert bits["native"] == [[1] * 8]
    assert bits["mapped"] == [[0] * 8]


def test_strength_0_is_unsteered(experiment, planted):  # noqa: F811
    design, (_, direction) = experiment.design, planted
    conditions = [Condition("unsteered"), *(design.adding("native", s * direction[None], 0, s) for s in (0.0, 8.0))]
    assessment = design.assessment({})
    answers = run_conditions(experiment.bench, planted[0], assessment, "test", design.test, conditions, "test")
    said = [[each.completion for each in answers if each.strength == s] for s in (None, 0.0, 8.0)]
    assert said[0] == said[1] != said[2]


def test_success_needs_both_the_behaviour_and_a_good_reply():
    variant, judges = TASK.variants(dataset())["hashes_open"], {"hashes": "pattern:#", "good": r"pattern:\A#+\Z"}
    judging = TASK.success(variant, TASK.judges_of_cell(ordered(**judges), dataset()))
    assert set(judging) == {"validation", "test"}
    outcomes = judging["test"](dataset().examples("hashes", "test", 3), ["###", "Hm.", "### Hm."])
    assert [outcome.success for outcome in outcomes] == [True, False, False]
    assert [outcome.gone for outcome in outcomes] == [True, False, True]


def test_a_prompt_leaves_where_asking_in_words_does_not_help(planted, tmp_path):  # noqa: F811
    bench = Bench(Store(tmp_path), 16, 6, lambda *_: None)
    vain = ExampleLine(prompt="9 Who are you?", clean="9 Tell me about the fence", cluster="vain", split="test")
    experiment = TASK.experiment(ordered(**SAYS_SO), dataset(vain), lambda *_: planted[0], bench)
    result = scored(experiment, lambda source: source)
    assert (result.n_asked, len(result.summary.prompt_ids)) == (8, 7)  # the first eight are asked


def suite(variant, named=None, of="styles", settings=SETTINGS):
    cells = [{"variant": variant, "pair": "a->b", "sites": [1, 1], "tracks": ["task"]}]
    task = {"dataset": of, "settings": settings, "judges": named or {}, "cells": cells}
    models = {name: {"any": {"model": "llama-s-instruct"}} for name in "ab"}
    return Suite.model_validate(
        {"name": "s", "max_new_tokens": 8, "models": models, "tasks": {"behaviour_steering": task}}
    )


@pytest.mark.parametrize(
    ("variant", "named", "message"),
    [
        ("humour_open", {}, r"Nobody judges 'humour', which humour_open needs: .*\"llm:humour\".*\"local:humour\""),
        ("past_open", {}, r"Nobody judges 'past', .*\"llm:RUBRIC.yaml\".*\"pattern:REGEX\", where a rule can tell"),
        ("humour_open", {"humor": "phrase"}, "Nobody judges 'humour'"),
        ("capitals_open", {"capitels": "phrase"}, "no measure 'capitels' to judge; it has good, capitals, "),
        ("humour", {"humour": "phrase"}, "judges nothing: leave out the judge of 'humour', or ask for .* end in _open"),
    ],
)
def test_a_judge_too_few_or_too_many_is_one_sentence(variant, named, message):
    with pytest.raises(UserError, match=message) as error:
        planned(suite(variant, named), deterministic=True)
    assert "\n" not in str(error.value)


def test_what_is_read_needs_no_judge_whatever_else_is_judged():
    assert TASK.judges({}, STYLES, list(STYLES.behaviours)) == {}
    assert TASK.judging(ordered("humour", humour="phrase"), STYLES, None) == {}
    assert planned(suite("humour"), deterministic=True)


def test_only_measures_of_the_open_variants_and_those_named_are_judged():
    assert set(TASK.judges({"humour": "phrase"}, STYLES, ["humour_open", "past"])) == {"humour", "good"}
    assert set(TASK.judges({"past": "phrase"}, STYLES, ["capitals_open"])) == {"capitals", "past", "good"}


def test_capitals_are_told_by_a_rule():
    judge = TASK.judges_of_cell(Order("capitals_open", "a", "b", (1, 1), SETTINGS), STYLES)["capitals"]
    said = ["IT IS 5 KM, AND OLD.\nGO!", "It is old.", "5."]
    assert [verdict.score for verdict in judge([Case("p", each) for each in said])] == [1, 0, 0]


def test_an_open_variant_needs_prompts_that_ask_in_words(tmp_path):
    form = {
        "behaviours": {"terse": {"kind": "steering", "shown_by": "terse"}},
        "judges": {"terse": "pattern:.", "good": "pattern:."},
    }
    (tmp_path / "dataset.yaml").write_text(json.dumps(form))
    each = [{"desired": f"Short {i}", "undesired": f"Long {i}"} for i in range(20)]
    each += [{"prompt": f"Who {i}?", "reply": "So.", "shows": i > 20, "split": "fit"} for i in range(42)]
    splits = {"validation": 64, "test": 128}
    each += [
        {"prompt": f"{s} {i}", "split": s, "reference": "a", "other": "b"} for s, n in splits.items() for i in range(n)
    ]
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, each)))
    assert planned(suite("terse", of={"jsonl": str(tmp_path)}), deterministic=True)
    with pytest.raises(UserError, match="examples of terse without `clean`, .*: terse_open needs it"):
        planned(suite("terse_open", of={"jsonl": str(tmp_path)}), deterministic=True)


def test_where_the_answer_is_the_behaviour_nothing_is_open():
    assert list(TASK.variants(dataset_named("model_written_evals"))) == ["agreeableness"]
