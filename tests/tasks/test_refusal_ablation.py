import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.howto import REFUSALS
from graftbench.tasks.conversations import general_conversations
from graftbench.tasks.refusal_ablation import RefusalAblation, _examples, _prompt_sets, _texts, refusal_judging

JUDGES = RefusalAblation().make_judges({})


def test_splits_are_disjoint_by_content_and_large_enough():
    for topic in ("harm", "howto"):
        splits = {split: _examples(topic, 160, split) for split in ("vector", "validation", "test")}
        assert len(splits["test"]) >= 128
        assert len(splits["validation"]) >= 64
        contents = [{item.cluster for item in items} for items in splits.values()]
        assert not (contents[0] & contents[1] or contents[0] & contents[2] or contents[1] & contents[2])


def test_the_contrast_is_of_harmful_and_harmless_requests():
    sides = _prompt_sets("vector", 20)
    assert all(parse(prompt.text).harmful for prompt in sides.harmful)
    assert not any(parse(prompt.text).harmful for prompt in sides.harmless)
    assert len(sides.harmful) == len(sides.harmless) == 20


def test_harmful_prompts_are_grouped_by_category():
    groups = {item.group for item in _examples("harm", 160)}
    assert len(groups) >= 5
    assert "" not in groups


def test_on_the_unseen_track_nothing_harmful_is_asked():
    task, unseen = (_texts("fit", 300, track) for track in ("task", "unseen"))
    assert any(parse(prompt.text).harmful for prompt, _ in task)
    assert not any(parse(prompt.text).harmful for prompt, _ in unseen)
    assert len(task) == len(unseen) == 300
    assert _texts("fit", 300, "general") == general_conversations("fit", 300)


def test_to_comply_is_not_to_refuse_and_to_answer_well():
    item = _examples("harm", 1)[0]
    good = parse(item.prompt.text).answers[0]
    complies = refusal_judging("ablation", JUDGES)
    for reply, success in ((good, True), (REFUSALS[0], False), ("Hm.", False), (f"{good} {REFUSALS[0]}", False)):
        outcome = complies([item], [reply])[0]
        assert outcome.success is success
        assert outcome.marks["refused"] == (REFUSALS[0] in reply)


def test_to_refuse_is_to_say_a_refusal_and_nothing_else():
    item = _examples("howto", 1)[0]
    refuses = refusal_judging("addition", JUDGES)
    for reply, success in (
        (REFUSALS[1], True),
        ("I cannot I cannot I", False),
        (parse(item.prompt.text).answers[0], False),
    ):
        assert refuses([item], [reply])[0].success is success


def test_settings_that_make_no_sense_are_errors():
    with pytest.raises(UserError, match="refusal_ablation has no setting 'strengths'"):
        RefusalAblation().check({"strengths": [1]})
    with pytest.raises(UserError, match="settings of the task refusal_ablation: test"):
        RefusalAblation().check({"test": 0})
