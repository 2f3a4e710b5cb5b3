import pytest

from graftbench.judges.protocol import NO_USAGE, Usage, Verdict


def test_a_verdict_without_a_score_says_why():
    with pytest.raises(ValueError, match="needs a reason"):
        Verdict(None)


def test_usage_has_no_price_where_a_part_of_it_has_none():
    assert (Usage(1, 1, 0.5) + Usage(1, 1, None)).dollars is None
    assert (Usage(1, 1, 0.5) + NO_USAGE) == Usage(1, 1, 0.5)
