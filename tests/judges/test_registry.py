import pytest

from graftbench.benchmark.core.errors import UserError
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
    found = InstalledJudge("fine", Fine)
    assert (found.identity, found.scale, found.binary) == ("fine/1", (0, 1), True)
    assert [verdict.score for verdict in found(CASES)] == [1, None]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Nameless, "has no identity: it is no judge"),
        (Silent, "has no __call__"),
        (Asking, "cannot be made without arguments"),
        (Halves, "says yes or no, and scored 0.7"),
        (TooFew, "gave 1 verdicts on 2 completions"),
    ],
)
def test_a_judge_that_breaks_them_is_told_in_one_sentence(kind, told):
    with pytest.raises(UserError, match=told):
        InstalledJudge("mine", kind)(CASES)
