import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import plugin, plugin_names
from graftbench.judges.phrases import Phrase
from graftbench.judges.protocol import Case, Verdict, YesOrNo
from graftbench.judges.registry import InstalledJudge

CASES = [Case("p", "c"), Case("p", "d")]


class Fine(YesOrNo):
    identity = "fine/1"
    scores = (1.0, None)

    def __call__(self, cases):
        return [Verdict(score, reason="" if score is not None else "no idea") for score in self.scores]


class Halves(Fine):
    scores = (0.7, 1.0)


class TooFew(Fine):
    scores = (1.0,)


class Nameless(YesOrNo):
    def __call__(self, cases):
        return []


class Silent(YesOrNo):
    identity = "silent/1"


class Asking(Fine):
    def __init__(self, what):
        self.what = what


def test_a_judge_that_keeps_its_promises_is_used_as_it_is():
    judge = InstalledJudge("fine", Fine)
    assert (judge.identity, judge.scale, judge.binary) == ("fine/1", (0, 1), True)
    assert [verdict.score for verdict in judge(CASES)] == [1, None]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Nameless, "has no identity: it is no judge"),
        (Silent, "has no __call__"),
        (Asking, "cannot be made without arguments"),
        (Halves, "says yes or no, and scored 0.7"),
        (TooFew, "gave 1 verdicts on 2 completions"),
    ],
)
def test_a_judge_that_breaks_them_is_an_error_of_one_sentence(kind, message):
    with pytest.raises(UserError, match=message):
        InstalledJudge("mine", kind)(CASES)


def test_installed_judges_have_identities_of_their_own():
    identities = [plugin("judges", name)().identity for name in plugin_names("judges")]
    assert len(set(identities)) == len(identities) == 17
    assert Phrase("x").identity != Phrase("y").identity
