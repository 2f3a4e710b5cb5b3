import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.judges.protocol import NO_USAGE, Usage, Verdict
from graftbench.tasks.judging import Judges, gone_and_good, judges_of

MEASURES = {"insult": "phrase", "good": "exact"}
ITEMS = [Example(Prompt("What is it?"), None, "it", reference="A fence.")]


def saying(score, took=NO_USAGE):
    return lambda cases: [Verdict(score, reason="" if score is not None else "no idea", took=took) for _ in cases]


def test_a_suite_may_name_another_judge_for_a_measure():
    named = judges_of("t", MEASURES, {"insult": {"judge": "chrf", "at_least": 0.5}}).identities
    assert named["insult"].startswith("chrf/1")
    assert named["insult"].endswith("at least 0.5")
    assert named["good"] == "exact/1"


def test_what_is_judged_beside_success_is_reported_with_it():
    judges = judges_of("t", MEASURES, {"similarity": "chrf", "coherence": "repetition"})
    judged = judges.with_beside(gone_and_good(judges["insult"], judges["good"]))
    outcome = judged(ITEMS, ["A fence."])[0]
    assert outcome.success
    assert outcome.marks == {"similarity": 1.0, "coherence": 1.0}
    assert "chrf" in judges.identity("insult")


def test_judges_are_shown_the_reply_that_is_known_to_be_good():
    judges = judges_of("t", MEASURES, {})
    assert gone_and_good(judges["insult"], judges["good"])(ITEMS, ["A wall."])[0].good is False


def test_what_one_judge_leaves_unscored_has_no_outcome_and_says_why():
    outcome = gone_and_good(saying(0.0), saying(None))(ITEMS, ["A fence."])[0]
    assert (outcome.gone, outcome.good, outcome.reason) == (None, None, "no idea")


def test_an_outcome_holds_what_all_of_its_judges_took():
    took = Usage(10, 1, 0.5)
    judges = Judges({"insult": saying(0.0, took), "good": saying(1.0, took), "coherence": saying(1.0, took)})
    outcome = judges.with_beside(gone_and_good(judges["insult"], judges["good"]))(ITEMS, ["A fence."])[0]
    assert outcome.took == (30, 3, 1.5)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"style": "phrase"}, "no measure 'style' to judge; it has insult, good, similarity, coherence"),
        ({"good": "oracle"}, "oracle"),
        ({"good": {"judge": "llm:good_answer"}}, "needs a model"),
        ({"good": {"judge": "llm:good_answer", "modell": "m"}}, "modell"),
        ({"good": {"panel": ["exact"]}}, "at least two members"),
        ({"good": {}}, "name a `judge`, or several in a `panel`"),
    ],
)
def test_judges_that_make_no_sense_are_told(named, said):
    with pytest.raises(UserError, match=said):
        judges_of("t", MEASURES, named)


def test_a_panel_may_judge_a_measure():
    judges = judges_of("t", MEASURES, {"good": {"panel": ["exact", "normalised", "contains_fact"]}})
    assert gone_and_good(judges["insult"], judges["good"])(ITEMS, ["a fence"])[0].good


def test_a_score_on_a_scale_is_no_yes_and_no_no():
    with pytest.raises(
        UserError, match="The judge of 'good' in the task t scores from 0 to 1, where yes or no is wanted"
    ):
        judges_of("t", MEASURES, {"good": "chrf"})
    judges = judges_of("t", MEASURES, {"good": {"judge": "chrf", "at_least": 0.9}})
    assert gone_and_good(judges["insult"], judges["good"])(ITEMS, ["A fine wall."])[0].good is False


def test_why_a_score_beside_success_is_missing_is_told():
    judges = Judges({"insult": saying(0.0), "good": saying(1.0), "coherence": saying(None)})
    outcome = judges.with_beside(gone_and_good(judges["insult"], judges["good"]))(ITEMS, ["A fence."])[0]
    assert outcome.success
    assert (outcome.marks, outcome.unscored) == ({"coherence": None}, {"coherence": "no idea"})
