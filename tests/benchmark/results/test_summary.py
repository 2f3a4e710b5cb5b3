from dataclasses import replace

from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.results.rows import Answer
from graftbench.benchmark.results.summary import summarise

BOTH = ("unsteered", "native")
ITEMS = [Example(Prompt(f"{i}"), Turn(Prompt(f"{i}")), f"c{i}", "even" if i % 2 == 0 else "odd") for i in range(4)]


def answer(item, condition, good, split="test"):
    return Answer(split, item.id, item.prompt.text, condition, 0, None, "", True, good, "", {"said": good}, False)


def test_success_is_reported_by_group_and_marks_as_shares():
    answers = [answer(item, "native", item.group == "even") for item in ITEMS]
    summary = summarise(answers, ITEMS, [item.id for item in ITEMS], {})
    assert summary.bits["native"] == [[1, 0, 1, 0]]
    assert summary.parts["native"].groups == {"even": 1, "odd": 0}
    assert summary.parts["native"].marks == {"said": 0.5}
    assert summary.parts["native"].equal_clean is None


def test_the_perplexity_that_judges_need_stays_in_the_rows():
    answers = [replace(answer(item, "native", True), marks={"said": True, "perplexity": 1e30}) for item in ITEMS]
    summary = summarise(answers, ITEMS, [item.id for item in ITEMS], {})
    assert summary.parts["native"].marks == {"said": 1}
    assert all(row.marks["perplexity"] == 1e30 for row in summary.rows)


def test_strengths_that_were_tried_and_first_replies_are_stored_with_the_figures():
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
