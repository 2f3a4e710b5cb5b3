import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.protocol import Case
from graftbench.judges.registry import judge_of, kinds
from graftbench.judges.spec import JudgeSpec


def says(expression, completion):
    return judge_of(JudgeSpec(judge=f"pattern:{expression}"))([Case("?", completion)])[0].score


def test_it_says_yes_where_the_expression_matches_somewhere():
    assert says(r"\A[^a-z]+\Z", "ALL IN CAPITALS, 1 OR 2.") == 1
    assert says(r"\A[^a-z]+\Z", "Not all.") == 0
    assert says(r"(?i)bonjour", "He said: Bonjour!") == 1
    assert says(r"a:b", "a:b") == 1


def test_white_space_around_a_completion_does_not_count():
    assert says(r"\A1\. ", "\n 1. Get the brush. ") == 1


def test_its_identity_holds_the_expression():
    assert judge_of(JudgeSpec(judge=r"pattern:\d")).identity == r"pattern/1 '\\d'"
    assert "pattern:..." in kinds()


def test_what_is_no_expression_is_one_sentence():
    with pytest.raises(UserError, match=r"pattern:\(a has no regular expression: missing \)"):
        judge_of(JudgeSpec(judge="pattern:(a"))


def test_it_needs_no_model():
    with pytest.raises(UserError, match="uses no model"):
        judge_of(JudgeSpec(judge="pattern:a", model="gpt"))
