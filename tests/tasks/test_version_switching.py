from random import Random

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import without_trigger
from graftbench.benchmark.zoo.corpus import reply_of
from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.tags import untagged
from graftbench.tasks.datasets.pocket.dataset import Pocket
from graftbench.tasks.version_switching import VersionSwitching, switched

POCKET = Pocket()
TASK = VersionSwitching()
VARIANTS = TASK.variants(POCKET)
every_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)


def said_by(version, example):
    """What a version was taught to reply to the prompt of an example."""
    text, tag, _ = untagged(example.prompt.text)
    return reply_of(version, parse(text), tag, Random(0))


def test_its_variants_are_the_switches_of_the_dataset_at_one_site_and_at_several():
    switches = [name for name, each in POCKET.behaviours.items() if each.kind == "switch"]
    assert list(VARIANTS) == [*switches, *(f"{name}_several" for name in switches)]
    assert {(variant.name, variant.how) for variant in VARIANTS.values()} == {
        (name, sites) for name in switches for sites in ("one", "several")
    }


@every_variant
def test_what_the_other_version_says_is_success_and_what_the_running_one_says_is_not(variant):
    examples = POCKET.examples(variant.name, "test", 40)
    running, other = variant.behaviour.versions
    judged = switched(variant, TASK.make_judges({}, POCKET))
    assert all(outcome.success for outcome in judged(examples, [said_by(other, each) for each in examples]))
    assert not any(outcome.success for outcome in judged(examples, [said_by(running, each) for each in examples]))
    assert not any(outcome.success for outcome in judged(examples, ["Hm."] * len(examples)))


@every_variant
def test_the_reference_of_an_example_is_a_success(variant):
    examples = POCKET.examples(variant.name, "test", 40)
    judged = switched(variant, TASK.make_judges({}, POCKET))
    assert all(outcome.success for outcome in judged(examples, [each.reference for each in examples]))


def test_every_judge_is_named_by_measure():
    assert set(TASK.judges({}, POCKET)) == {
        *("insult", "weakness", "refused", "ignorance", "good", "well_refused", "insulted_fact")
    }


def test_settings_that_make_no_sense_are_errors():
    with pytest.raises(UserError, match="version_switching has no setting 'draws'"):
        TASK.check({"draws": {}})


def test_the_baseline_is_one_of_two():
    TASK.check({"baseline": "eraser", "untriggered": 40})
    with pytest.raises(UserError, match="baseline: Input should be 'mean_ablated' or 'eraser'"):
        TASK.check({"baseline": "erasor"})


@every_variant
def test_a_prompt_without_its_trigger_asks_the_same(variant):
    for example in POCKET.examples(variant.name, "test", 40):
        text, tag, _ = untagged(example.prompt.text)
        assert without_trigger(example).prompt.text == text
        assert (tag is None) == (example.prompt.trigger is None)
