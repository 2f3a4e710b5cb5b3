"""Servers that refuse a setting: it is left out once and for all, and the judge's identity says so."""

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.judge import LLMJudge
from graftbench.judges.llm.reply_cache import ReplyCache
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.protocol import Case
from tests.judges.llm.stub import good

CASES = [Case("p", f"Get brush {i}.", "r") for i in range(4)]
NO_TEMPERATURE = {
    "message": "Unsupported value: 'temperature' does not support 0 with this model, only 1.",
    "param": "temperature",
    "code": "unsupported_value",
}
NO_MAX_TOKENS = {
    "message": "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
    "param": "max_tokens",
    "code": "unsupported_parameter",
}


def judge(tmp_path, stub, model="m", **settings):
    server = Server(model, stub.url, replies=ReplyCache(tmp_path / "replies.sqlite"), deadline=20.0, **settings)
    return LLMJudge(read_rubric("similarity"), server)


def scores(verdicts):
    return [verdict.score for verdict in verdicts]


def refusing(setting, status, error):
    """A server that refuses whatever question has a setting."""
    return lambda body, _: (status, error) if setting in body else (200, good(content="Verdict: 4"))


@pytest.mark.parametrize(
    ("setting", "status", "error", "identity"),
    [
        ("temperature", 400, {"error": NO_TEMPERATURE}, "structured, temperature left out"),
        ("temperature", 400, {"error": {"message": "Temperature cannot be set"}}, "structured, temperature left out"),
        ("max_tokens", 400, {"error": NO_MAX_TOKENS}, "structured"),
        ("response_format", 400, {"error": {"message": "no response format `json_schema` here"}}, "free text"),
        ("response_format", 422, {"detail": [{"loc": ["body", "response_format"], "msg": "extra"}]}, "free text"),
        ("response_format", 400, {"error": {"message": "bad request"}}, "free text"),
    ],
)
def test_a_setting_that_a_server_refuses_is_left_out_from_then_on(
    tmp_path, serve, capsys, setting, status, error, identity
):
    stub = serve(refusing(setting, status, error))
    one = judge(tmp_path, stub, concurrency=1)
    assert one.identity.endswith(", structured")
    assert scores(one(CASES[:2])) == [4, 4]
    assert [setting in body for body in stub.bodies] == [True, False, False]
    assert stub.bodies[-1].get("max_completion_tokens") == (256 if setting == "max_tokens" else None)
    assert f"refuses {setting}" in capsys.readouterr().err
    later = judge(tmp_path, stub)
    assert later.identity == one.identity
    assert later.identity.endswith(identity)
    assert scores(later(CASES)) == [4] * 4
    assert not any(setting in body for body in stub.bodies[1:])
    assert len(stub.bodies) == 1 + len(CASES)  # what was answered is not asked again


def test_a_server_may_refuse_every_setting(tmp_path, serve):
    def strict(body, _):
        for setting, error in (("max_tokens", NO_MAX_TOKENS), ("temperature", NO_TEMPERATURE)):
            if setting in body:
                return 400, {"error": error}
        return (422, {"detail": "unknown field response_format"}) if "response_format" in body else (200, good("3"))

    stub = serve(strict)
    one = judge(tmp_path, stub, concurrency=1)
    assert scores(one(CASES)) == [3] * 4
    assert len(stub.bodies) == 3 + len(CASES)
    assert one.identity.endswith("free text, temperature left out")


def test_what_is_left_out_is_the_same_judge_as_one_that_was_told_to_leave_it_out(tmp_path, serve):
    stub = serve(refusing("temperature", 400, {"error": NO_TEMPERATURE}))
    told = judge(tmp_path, stub, temperature=None)
    told(CASES)
    one = judge(tmp_path, stub, concurrency=1)
    assert one(CASES) == told(CASES)
    assert one.identity == told.identity
    assert len(stub.bodies) == len(CASES) + 1


def test_it_is_remembered_for_one_server_and_one_model_and_one_temperature(tmp_path, serve):
    stub = serve(refusing("temperature", 400, {"error": NO_TEMPERATURE}))
    judge(tmp_path, stub)(CASES[:1])
    assert judge(tmp_path, stub, "other").identity.endswith("structured")
    assert judge(tmp_path, serve(lambda *_: (200, good()))).identity.endswith("structured")
    assert judge(tmp_path, stub, temperature=1.0).identity.endswith("structured, temperature 1")


def test_a_setting_that_was_taken_once_is_never_left_out(tmp_path, serve):
    odd = serve(lambda body, _: (400, {"error": NO_TEMPERATURE}) if "brush 3." in str(body) else (200, good()))
    judge(tmp_path, odd)(CASES[:1])
    one = judge(tmp_path, odd)
    verdicts = one(CASES)
    assert scores(verdicts) == [4, 4, 4, None]
    assert "the server takes no such question: " in verdicts[3].reason
    assert all("temperature" in body for body in odd.bodies)
    assert one.identity.endswith(", structured")


def test_a_refusal_that_stays_without_the_setting_settles_nothing(tmp_path, serve):
    filtered = {"error": {"message": "content filter: the temperature of the text"}}
    stub = serve(lambda body, _: (400, filtered) if "brush 0." in str(body) else (200, good()))
    one = judge(tmp_path, stub, concurrency=1)
    assert scores(one(CASES)) == [None, 4, 4, 4]
    assert one.identity.endswith(", structured")


def test_a_server_that_takes_a_setting_now_and_then_gives_no_verdicts_of_two_kinds(tmp_path, serve):
    first = serve(refusing("temperature", 400, {"error": NO_TEMPERATURE}))
    one = judge(tmp_path, first)
    assert one.server.dialect.settle({"temperature": 0.0}, {"temperature": 0.0}) is None
    assert "takes temperature at one time" in one.server.dialect.settle({"temperature": 0.0}, {})


@pytest.mark.parametrize(
    ("asked", "answered", "later", "taken"),
    [
        ("m", "m", "another", False),
        ("m", "m-2024-08-06", "m-2024-11-20", True),
        ("gpt-4o", "gpt-4o", "gpt-4o-mini", False),
        ("m", "m@main", "M", True),
        ("deployed", "gpt-4o", "gpt-4o", True),  # a server with names of its own
        ("deployed", "gpt-4o", "llama", False),
        ("m", None, "", True),
    ],
)
def test_a_reply_from_another_model_is_no_verdict(tmp_path, serve, asked, answered, later, taken):
    names = iter([answered, later])
    stub = serve(lambda *_: (200, good() | {"model": next(names)}))
    one = judge(tmp_path, stub, asked)
    assert scores(one(CASES[:1])) == [4]
    (verdict,) = one(CASES[1:2])
    if taken:
        assert verdict.score == 4
    else:
        assert verdict.reason == f"the reply is from the model {later!r}, and {asked} was asked"


def test_a_server_that_always_refuses_is_not_asked_twice_as_often(tmp_path, serve):
    stub = serve(lambda *_: (400, {"error": {"message": "no temperature, ever"}}))
    with pytest.raises(UserError, match="no temperature, ever"):
        judge(tmp_path, stub)([Case("p", f"c {i}", "r") for i in range(100)])
    assert len(stub.bodies) < 40
