import math
from dataclasses import replace

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.combine import AtLeast, Panel
from graftbench.judges.intact import MAX_PERPLEXITY, Intact, LikeClean
from graftbench.judges.protocol import NO_CLEAN_ANSWER, NO_PERPLEXITY, Case
from graftbench.judges.registry import InstalledJudge, judge_of
from graftbench.judges.rules import Exact
from graftbench.judges.similarity import Chrf
from graftbench.judges.spec import JudgeSpec

CLEAN = "To paint the fence, first clean the boards and let them dry. Then put on two coats with a broad brush."
COPY = Case("How do I paint the fence?", CLEAN, clean=CLEAN, perplexity=3.0)
BOTH = pytest.mark.parametrize("judge", [Intact(), LikeClean()], ids=["intact", "like_clean"])


def score(judge, **changes):
    return judge([replace(COPY, **changes)])[0].score


@BOTH
def test_a_copy_of_the_clean_answer_is_good(judge):
    assert score(judge) == 1


@BOTH
@pytest.mark.parametrize(
    "changes",
    [
        {"completion": "Then put on two coats, " * 8},
        {"completion": "[MUCCUNAMUCCUNAMUCCUNAMUCCUNAMUCCU"},
        {"completion": "\N{GLOWING STAR}" * 20},
        {"completion": "The 1999: 1999: 19999999999999999999"},
        {"completion": ""},
        {"completion": " \n"},
        {"perplexity": math.inf},
        {"perplexity": math.nan},
        {"perplexity": MAX_PERPLEXITY * 1.01},
    ],
    ids=["loop", "letters", "emoji", "digits", "nothing", "blank", "infinite", "no number", "too perplexing"],
)
def test_what_is_broken_is_not_good(judge, changes):
    assert score(judge, **changes) == 0


def test_an_answer_to_something_else_is_intact_and_not_like_the_clean_one():
    other = "Jupiter has four large moons, which Galileo saw in 1610."
    assert score(Intact(), completion=other) == 1
    assert score(LikeClean(), completion=other) == 0


def test_a_light_change_of_wording_stays_like_the_clean_answer():
    assert score(LikeClean(), completion=CLEAN.replace("two coats", "some coats").replace("To paint", "For")) == 1


def test_without_a_clean_answer_one_is_unscored_and_the_other_needs_none():
    (unscored,) = LikeClean()([replace(COPY, clean=None)])
    assert (unscored.score, unscored.reason) == (None, NO_CLEAN_ANSWER)
    assert score(Intact(), clean=None) == 1


@BOTH
def test_without_a_perplexity_it_is_unscored_and_says_why(judge):
    (unscored,) = judge([replace(COPY, perplexity=None)])
    assert (unscored.score, unscored.reason) == (None, NO_PERPLEXITY)


@BOTH
def test_cases_judged_together_or_alone_get_the_same_verdicts(judge):
    cases = [
        COPY,
        replace(COPY, perplexity=1e9),
        replace(COPY, completion="you " * 30),
        replace(COPY, clean=None),
        COPY,
    ]
    assert judge(cases) == [judge([case])[0] for case in cases]


def test_the_identity_of_either_names_every_threshold():
    assert Intact().identity in LikeClean().identity
    assert f"{MAX_PERPLEXITY:g}" in Intact().identity


def test_a_judge_made_of_others_needs_what_they_need():
    assert not Exact().needs_perplexity
    assert Panel((Exact(), Intact())).needs_perplexity
    assert not Panel((Exact(), Exact())).needs_perplexity
    assert not AtLeast(Chrf(), 0.5).needs_perplexity
    assert AtLeast(Intact(), 0.5).needs_perplexity
    assert judge_of(JudgeSpec(judge="like_clean")).needs_perplexity


def test_an_installed_judge_that_does_not_mention_the_perplexity_needs_none():
    class Old:
        identity, scale, binary = "old/1", (0.0, 1.0), True

        def __call__(self, cases):
            return []

    assert not InstalledJudge("old", Old).needs_perplexity
    with pytest.raises(UserError, match="is no judge"):
        InstalledJudge("none", object)
