"""Reasoning models as judges: what they think is no part of their verdict."""

import pytest

from graftbench.judges.llm.judge import LLMJudge, parse_verdict
from graftbench.judges.llm.reply_cache import ReplyCache
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.protocol import Case
from tests.judges.llm.stub import good

RUBRIC = read_rubric("similarity")


@pytest.mark.parametrize(
    "reply",
    [
        "<think>5 would be too much.</think>\n\nVerdict: 3",
        "<think>\nVerdict: 5\n</think>\n3",
        '<think></think>{"verdict": "3"}',
        'Perhaps 5? No.\n</think>\n\n{"verdict": "3"}',  # the template wrote the first mark
        "\n<think>It says </think>5</think>\nVerdict: 3",
    ],
)
def test_a_verdict_is_what_follows_the_thought(reply):
    assert parse_verdict(reply, RUBRIC).score == 3


@pytest.mark.parametrize(
    "reply",
    [
        "<think>Verdict: 5",
        "<think>It is close.\nVerdict: 5",
        "<think>Verdict: 5</think>",
        'The text is "</think> 5',
        "It says <think>so</think>\n5",
    ],
)
def test_a_thought_without_a_verdict_and_a_quoted_mark_give_none(reply):
    verdict = parse_verdict(reply, RUBRIC)
    assert verdict.score is None
    assert verdict.evidence == reply


@pytest.mark.parametrize(
    ("message", "finish", "score", "reason"),
    [
        ({"content": "<think>Verdict: 5"}, "length", None, "the judge's reply was cut off"),
        ({"content": "<think>Verdict: 5"}, "stop", None, "the judge's reply was nothing but its reasoning"),
        ({"content": None, "reasoning_content": "Verdict: 5"}, "length", None, "the judge's reply was cut off"),
        ({"content": None, "reasoning_content": "Verdict: 5"}, "stop", None, "the judge's reply was empty"),
        ({"content": "Verdict: 3", "reasoning_content": "Verdict: 5"}, "stop", 3, ""),
        ({"content": "Verdict: 3", "reasoning": "Verdict: 5"}, "stop", 3, ""),
    ],
)
def test_reasoning_is_never_taken_for_a_verdict(tmp_path, serve, message, finish, score, reason):
    answer = good(**message)
    answer["choices"][0]["finish_reason"] = finish
    stub = serve(lambda *_: (200, answer))
    server = Server("m", stub.url, replies=ReplyCache(tmp_path / "replies"), max_tokens=4096)
    (verdict,) = LLMJudge(RUBRIC, server)([Case("p", "c", "r")])
    assert (verdict.score, verdict.reason) == (score, reason)
