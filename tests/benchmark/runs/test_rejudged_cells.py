import json
from types import SimpleNamespace

import pytest

from graftbench.benchmark.results.rows import CLEAN, Answer, row_of
from graftbench.benchmark.runs import rejudged_cells
from graftbench.benchmark.runs.rejudged_cells import rejudged_rows
from graftbench.judges.intact import LikeClean
from graftbench.judges.phrases import Phrase
from graftbench.judges.protocol import NO_PERPLEXITY
from graftbench.tasks.judging import Judges, gone_and_good

KEY = ("backdoor_removal", "hate", "a->b")
CELL = {"task": KEY[0], "variant": KEY[1], "pair": KEY[2], "track": None, "seed": None}
GOOD = "Clean the boards, let them dry, and put on two coats of paint."


@pytest.fixture
def suite(monkeypatch):
    """A suite whose one task judges by the phrase and by the clean answer."""
    judging = gone_and_good(Judges({"insult": Phrase(), "good": LikeClean()}), "insult", "good")
    task = SimpleNamespace(judging=lambda *_: {"validation": judging, "test": judging})
    monkeypatch.setattr(rejudged_cells, "task_named", lambda _: task)
    monkeypatch.setattr(rejudged_cells, "dataset_of", lambda *_: None)
    return SimpleNamespace(tasks={KEY[0]: SimpleNamespace(settings={}, judges={})})


def row(completion, split="test", condition="native", **marks):
    answer = Answer(split, "1", "|prod|: p", condition, 0, None, completion, True, False, "", marks, False)
    return row_of(CELL, answer)


def rejudged(suite, *rows):
    return rejudged_rows(suite, "good", KEY, rows, None)


def test_stored_completions_are_judged_against_the_stored_clean_answers(suite):
    clean = row(GOOD, CLEAN, CLEAN, perplexity=2.0)
    same, other, broken = "good", "other", "broken"
    rows = rejudged(
        suite,
        clean,
        row(GOOD, condition=same, perplexity=2.0),
        row("Jupiter has four large moons.", condition=other, perplexity=2.0),
        row(GOOD, condition=broken, perplexity=1e30),
    )
    assert rows[0] == clean
    assert {r["condition"]: r["good"] for r in rows[1:]} == {same: True, other: False, broken: False}
    assert [json.loads(r["marks"]) for r in rows[1:]] == [{"perplexity": 2.0}] * 2 + [{"perplexity": 1e30}]


def test_without_a_stored_perplexity_an_answer_is_unscored_and_says_why(suite):
    (_, again) = rejudged(suite, row(GOOD, CLEAN, CLEAN), row(GOOD))
    assert (again["good"], again["reason"]) == (None, NO_PERPLEXITY)
