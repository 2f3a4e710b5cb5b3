"""What a question may cost at most, and that waiting for money is not waiting for an answer."""

import json
import time

import pytest

from graftbench.benchmark.core.budget import Budget
from graftbench.judges.llm.spending import Prices, Spending
from tests.judges.llm.stub import good
from tests.judges.llm.test_judge import CASES, judge, scores


@pytest.mark.parametrize("content", ["a", "ü" * 10, "😀", '"\\\n'])
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_question_may_cost_a_token_for_each_byte_a_template_and_all_that_may_be_written(content, limit):
    question = {"messages": [{"role": "user", "content": content}], limit: 300}
    read = Prices(prompt=1_000_000.0).most_of(question)
    assert read == len(json.dumps(question)) + 512
    assert read >= len(content.encode()) + 512
    assert Prices(completion=1_000_000.0).most_of(question) == 300


def test_a_reply_without_a_limit_may_cost_anything():
    with pytest.raises(ValueError, match="without a limit"):
        Prices(1.0, 1.0).most_of({"messages": []})


def test_the_time_in_which_a_question_waits_for_money_is_not_the_servers(tmp_path, serve, monkeypatch):
    stub, wait_for = serve(lambda *_: (200, good())), Spending._wait_for

    def waits(*given):
        time.sleep(2.1)
        wait_for(*given)

    monkeypatch.setattr(Spending, "_wait_for", waits)
    poor = judge(tmp_path, stub, deadline=2.0, prices=Prices(10.0, 100.0), budget=Budget("run", dollars=1.0))
    assert scores(poor(CASES[:1])) == [4]
