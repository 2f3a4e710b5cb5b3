import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.judges.protocol import NO_USAGE, Usage, Verdict
from graftbench.tasks.judging import Judges, gone_and_good, judges_of

MEASURES = {"insult": "phrase", "good": "exact"}
ITEMS = [Example(Prompt("What is it?"), None, "it", reference="A fence.")]


def saying(score, usage=NO_USAGE):
    return lambda cases: [Verdict(score, reason="" if score is not None else "no idea", usage=usage) for _ in cases]


def judge(judges, reply):
    (outcome,) = gone_and_good(judges, "insult", "good")(ITEMS, [reply])
    return outcome


def test_a_suite_may_name_another_judge_for_a_measure():
    named = judges_of("t", MEASURES, {"insult": {"judge": "chrf", "at_least": 0.5}}).identities
    assert named["insult"].startswith("chrf/1")
    assert named["insult"].endswith("at least 0.5")
    assert named["good"] == "exact/1"


def test_extra_measures_are_reported_with_success():
    judges = judges_of("t", MEASURES, {"similarity": "chrf", "coherence": "repetition"})
    outcome = judge(judges, "A fence.")
    assert outcome.success
    assert outcome.marks == {"similarity": 1.0, "coherence": 1.0}
    assert "chrf" in judges.identity("insult")


def test_judges_are_shown_the_reply_that_is_known_to_be_good():
    judges = judges_of("t", MEASURES, {})
    assert judge(judges, "A wall.").good is False


def test_what_one_judge_leaves_unscored_has_no_outcome_and_says_why():
    outcome = judge(Judges({"insult": saying(0.0), "good": saying(None)}), "A fence.")
    assert (outcome.gone, outcome.good, outcome.reason) == (None, None, "no idea")


def test_an_outcome_holds_the_usage_of_all_of_its_judges():
    usage = Usage(10, 1, 0.5)
    judges = Judges({"insult": saying(0.0, usage), "good": saying(1.0, usage), "coherence": saying(1.0, usage)})
    outcome = judge(judges, "A fence.")
    assert outcome.took == (30, 3, 1.5)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"style": "phrase"}, "no measure 'style' to judge; it has insult, good, similarity, coherence"),
        ({"good": "oracle"}, "oracle"),
        ({"good": {"judge": "llm:good_answer"}}, "needs a model"),
        ({"good": {"judge": "llm:good_answer", "modell": "m"}}, "modell"),
        ({"good": {"panel": ["exact"]}}, "at least two members"),
        ({"good": {}}, "name a `judge`, or several in a `panel`"),
    ],
)
def test_judges_that_make_no_sense_are_errors(named, message):
    with pytest.raises(UserError, match=message):
        judges_of("t", MEASURES, named)


def test_a_panel_may_judge_a_measure():
    judges = judges_of("t", MEASURES, {"good": {"panel": ["exact", "normalised", "contains_fact"]}})
    assert judge(judges, "a fence").good


def test_a_score_on_a_scale_is_no_yes_and_no_no():
    with pytest.raises(
        UserError, match="The judge of 'good' in the task t scores from 0 to 1, where yes or no is wanted"
    ):
        judges_of("t", MEASURES, {"good": "chrf"})
    judges = judges_of("t", MEASURES, {"good": {"judge": "chrf", "at_least": 0.9}})
    assert judge(judges, "A fine wall.").good is False


def test_the_reason_for_a_missing_extra_score_is_reported():
    judges = Judges({"insult": saying(0.0), "good": saying(1.0), "coherence": saying(None)})
    outcome = judge(judges, "A fence.")
    assert outcome.success
    assert (outcome.marks, outcome.unscored) == ({"coherence": None}, {"coherence": "no idea"})
