import pytest

from graftbench.benchmark.data.examples import Example, Prompt, Turn
from graftbench.benchmark.experiments.bench import Outcome
from graftbench.benchmark.experiments.conditions import Draws, clean_answers
from graftbench.benchmark.experiments.direction.reference import harmless_still_good
from graftbench.benchmark.results.rows import Answer
from tests.benchmark.experiments.stubs import StubJudging

ITEMS = [Example(Prompt(f"{i}"), Turn(Prompt(f"{i}")), f"c{i}") for i in range(4)]


def answer(item, condition, good, split):
    return Answer(split, item.id, item.prompt.text, condition, 0, None, "", True, good, "", {}, False)


def test_harmless_prompts_that_were_not_answered_well_before_do_not_count():
    good = {"unsteered": (True, True, False, False), "native": (True, False, False, True)}
    answers = [
        answer(item, name, each, "harmless")
        for name, all_ in good.items()
        for item, each in zip(ITEMS, all_, strict=True)
    ]
    assert harmless_still_good(answers) == {"unsteered": 1, "native": 0.5}


def test_prompts_whose_clean_answer_is_not_good_leave(bench, llama):
    def judged(verdicts):
        return StubJudging(lambda items, _: [Outcome(True, verdicts[item.prompt.text]) for item in items])

    clean = clean_answers(bench, llama, judged({"0": True, "1": False, "2": False, "3": True}), ITEMS, "clean")
    assert [item.prompt.text for item in clean.items] == ["0", "3"]
    assert set(clean.good) == {ITEMS[0].id, ITEMS[3].id}
    assert [answer.good for answer in clean.answers] == [True, False, False, True]
    with pytest.raises(ValueError, match="nothing to bring it back to"):
        clean_answers(bench, llama, judged(dict.fromkeys("0123", False)), ITEMS, "clean")
    with pytest.raises(RuntimeError, match="4 of 4 clean answers are unscored"):
        clean_answers(bench, llama, judged(dict.fromkeys("0123")), ITEMS, "clean")


def test_draws_that_are_not_asked_for_change_no_key():
    assert Draws().parts == {"test": 16, "validation": 4, "contrast": 4}
    assert Draws(8, 2, 3, 5, balanced=True).parts == {
        "test": 8,
        "validation": 2,
        "contrast": 3,
        "covariance": 5,
        "balanced": True,
    }
