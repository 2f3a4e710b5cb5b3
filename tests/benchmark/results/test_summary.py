from dataclasses import replace

import pytest

from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.experiments.conditions import clean_answers
from graftbench.benchmark.experiments.direction.reference import still_good
from graftbench.benchmark.experiments.judging import Outcome
from graftbench.benchmark.results.answers import Answer
from graftbench.benchmark.results.summary import summarise

BOTH = ("unsteered", "native")
ITEMS = [Example(Prompt(f"{i}"), Turn(Prompt(f"{i}")), f"c{i}", "even" if i % 2 == 0 else "odd") for i in range(4)]


def answer(item, condition, good, split="test"):
    return Answer(split, item.id, item.prompt.text, condition, 0, None, "", True, good, "", {"said": good}, False)


def test_success_is_reported_by_group_and_marks_as_shares():
    found = [answer(item, "native", item.group == "even") for item in ITEMS]
    summary = summarise(found, ITEMS, [item.id for item in ITEMS], {})
    assert summary.bits["native"] == [[1, 0, 1, 0]]
    assert summary.parts["native"].groups == {"even": 1, "odd": 0}
    assert summary.parts["native"].marks == {"said": 0.5}
    assert summary.parts["native"].equal_clean is None


def test_what_was_tried_and_said_is_kept_beside_the_figures():
    at = {0.5: (True, False, False, False), 1.0: (True, True, True, False)}
    tried = [
        replace(answer(item, "native", good, "validation"), strength=strength)
        for strength, all_ in at.items()
        for item, good in zip(ITEMS, all_, strict=True)
    ]
    said = [replace(answer(item, name, name == "native"), completion=name) for name in BOTH for item in ITEMS]
    summary = summarise([*tried, *said], ITEMS, [item.id for item in ITEMS], {})
    assert [(one.strength, one.value, one.n) for one in summary.sweep["native"]] == [(0.5, 0.25, 4), (1.0, 0.75, 4)]
    first = summary.examples[0]
    assert (first.item, first.prompt) == (ITEMS[0].id, "0")
    assert {name: (one.completion, one.success) for name, one in first.said.items()} == {
        "unsteered": ("unsteered", False),
        "native": ("native", True),
    }


def test_harmless_prompts_that_were_not_answered_well_before_do_not_count():
    good = {"unsteered": (True, True, False, False), "native": (True, False, False, True)}
    found = [
        answer(item, name, each, "harmless")
        for name, all_ in good.items()
        for item, each in zip(ITEMS, all_, strict=True)
    ]
    assert still_good(found) == {"unsteered": 1, "native": 0.5}


def test_prompts_whose_clean_answer_is_not_good_leave(bench, llama):
    def judged(verdicts):
        return lambda items, _: [Outcome(True, verdicts[item.prompt.text]) for item in items]

    found = clean_answers(bench, llama, judged({"0": True, "1": False, "2": False, "3": True}), ITEMS, "clean")
    assert [item.prompt.text for item in found.items] == ["0", "3"]
    assert set(found.good) == {ITEMS[0].id, ITEMS[3].id}
    assert [answer.good for answer in found.answers] == [True, False, False, True]
    with pytest.raises(ValueError, match="nothing to bring it back to"):
        clean_answers(bench, llama, judged(dict.fromkeys("0123", False)), ITEMS, "clean")
    with pytest.raises(RuntimeError, match="4 of 4 clean answers are unscored"):
        clean_answers(bench, llama, judged(dict.fromkeys("0123")), ITEMS, "clean")
