"""LLM judges against a real server on loopback, with openai's own client."""

import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.judge import LLMJudge, schema_of
from graftbench.judges.llm.reply_cache import ReplyCache
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.llm.spending import Prices
from graftbench.judges.protocol import Case, Usage
from graftbench.judges.registry import judge_of
from graftbench.judges.spec import JudgeSpec, read_spec
from tests.judges.llm.stub import good

CASES = [Case(f"How do I paint fence {i}?", f"Get brush {i}.", "Get the brush.") for i in range(12)]


def judge(tmp_path, stub, rubric="similarity", **settings):
    replies = ReplyCache(tmp_path / "replies.sqlite")
    return LLMJudge(read_rubric(rubric), Server("m", stub.url, replies=replies, **{"deadline": 20.0, **settings}))


def scores(verdicts):
    return [verdict.score for verdict in verdicts]


@contextmanager
def within(seconds):
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def test_each_completion_gets_its_own_verdict_in_order(tmp_path, serve):
    def answer(body, _):
        number = int(body["messages"][1]["content"].split("Get brush ")[1].split(".")[0])
        time.sleep(0.02 * (12 - number))  # the last are answered first
        return 200, good(str(number % 6))

    stub = serve(answer)
    verdicts = judge(tmp_path, stub, concurrency=4)(CASES)
    assert scores(verdicts) == [i % 6 for i in range(12)]
    assert {verdict.scale for verdict in verdicts} == {(0, 5)}
    assert 1 < stub.most_at_once <= 4


def test_what_is_asked_is_the_rubric_at_temperature_0_with_the_labels_as_schema(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    judge(tmp_path, stub)(CASES[:1])
    body = stub.bodies[0]
    assert body["temperature"] == 0
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["verdict"]["enum"] == ["0", "1", "2", "3", "4", "5"]
    assert "0-5 scale" in body["messages"][0]["content"]


def test_a_server_without_structured_output_is_read_strictly(tmp_path, serve):
    stub = serve(lambda *_: (200, good(content="They agree.\nVerdict: 3")))
    assert scores(judge(tmp_path, stub, structured=False)(CASES[:1])) == [3]
    assert "response_format" not in stub.bodies[0]


def test_what_was_judged_is_never_asked_again(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    first = judge(tmp_path, stub)
    again = judge(tmp_path, stub)
    assert first(CASES) == again(CASES)
    assert len(stub.bodies) == len(CASES)
    assert (again.server.spending.spent.requests, again.server.spending.spent.cached) == (0, len(CASES))
    other = judge(tmp_path, stub, rubric="coherence")
    other(CASES[:1])
    assert len(stub.bodies) == len(CASES) + 1


@pytest.mark.parametrize("status", [429, 500, 503, None], ids=str)
def test_what_fails_for_a_while_is_asked_again(tmp_path, serve, status):
    stub = serve(lambda _, n: (status, {"error": {"message": "later"}}) if n < 2 else (200, good("5")))
    with within(20):
        assert scores(judge(tmp_path, stub)(CASES[:3])) == [5, 5, 5]
    assert set(stub.seen.values()) == {3}


def test_a_server_that_says_when_is_heard(tmp_path, serve):
    stub = serve(lambda _, n: (429, {"error": {"message": "busy"}}, ("Retry-After", "1")) if n == 0 else (200, good()))
    assert scores(judge(tmp_path, stub)(CASES[:1])) == [4]
    assert stub.times[1] - stub.times[0] >= 0.9


def test_a_rate_limit_is_waited_for_beyond_the_retries_of_the_client(tmp_path, serve, monkeypatch, capsys):
    pauses = []
    monkeypatch.setattr("graftbench.judges.llm.asking.time.sleep", pauses.append)
    stub = serve(lambda _, n: (429, {"error": {"message": "too fast"}}) if n < 4 else (200, good()))
    assert scores(judge(tmp_path, stub, retries=0, deadline=300.0)(CASES[:1])) == [4]
    assert pauses == [5, 10, 20, 30]
    assert capsys.readouterr().err.count("limits how often it is asked") == 1


def test_a_rate_limit_without_an_end_leaves_a_case_unscored(tmp_path, serve):
    stub = serve(lambda *_: (429, {"error": {"message": "too fast"}}))
    (verdict,) = judge(tmp_path, stub, retries=0, deadline=1.0)(CASES[:1])
    assert "RateLimitError" in verdict.reason


def test_a_quota_that_is_used_up_ends_the_run(tmp_path, serve):
    stub = serve(lambda *_: (429, {"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}))
    with pytest.raises(UserError, match=r"The quota of .* for m is used up: .*continues from here once there is more"):
        judge(tmp_path, stub, retries=0, deadline=1.0)(CASES[:1])


@pytest.mark.parametrize(
    ("settings", "sent", "said"),
    [
        ({}, {"temperature": 0, "max_tokens": 256}, "structured"),
        ({"temperature": None, "max_tokens": None}, {}, ", temperature left out, max_tokens left out"),
        ({"temperature": 0.5, "max_tokens": 4096}, {"temperature": 0.5, "max_tokens": 4096}, ", temperature 0.5, max_"),
    ],
)
def test_temperature_and_tokens_are_set_or_left_out(tmp_path, serve, settings, sent, said):
    stub = serve(lambda *_: (200, good()))
    asked = judge(tmp_path, stub, **settings)
    asked(CASES[:1])
    assert {name: stub.bodies[0][name] for name in ("temperature", "max_tokens") if name in stub.bodies[0]} == sent
    assert said in asked.server.identity
    spec = read_spec({"judge": "llm:similarity", "model": "m", "base_url": stub.url, **settings}, "The judge")
    assert judge_of(spec).identity.endswith(asked.server.identity)


def test_a_server_that_never_answers_leaves_cases_unscored_and_hangs_nothing(tmp_path, serve):
    def answer(*_):
        time.sleep(3)
        return 200, good()

    stub = serve(answer)
    with within(20):
        verdicts = judge(tmp_path, stub, deadline=0.4, retries=1)(CASES[:2])
    assert scores(verdicts) == [None, None]
    assert all(f"no answer from {stub.url}: nothing whole within 0.2 s" in verdict.reason for verdict in verdicts)


def test_a_server_that_is_down_is_not_asked_on_and_on(tmp_path, serve):
    stub = serve(lambda *_: (500, {"error": {"message": "down"}}))
    many = [Case("p", f"c {i}", "r") for i in range(200)]
    with pytest.raises(
        UserError, match=rf"The last \d+ questions to {stub.url} went unanswered, .*InternalServerError"
    ):
        judge(tmp_path, stub, retries=0)(many)
    assert len(stub.bodies) < 40


def test_a_server_that_fails_now_and_then_is_asked_on(tmp_path, serve):
    stub = serve(lambda body, _: (200, good()) if "c 0" in str(body) else (500, {"error": {"message": "busy"}}))
    cases = [Case("p", f"c {i % 10} {i}", "r") for i in range(100)]
    assert sum(v.score is not None for v in judge(tmp_path, stub, retries=0, concurrency=1)(cases)) == 10


def test_what_found_no_answer_is_asked_again_the_next_time(tmp_path, serve):
    broken = [True]
    stub = serve(lambda *_: (500, {"error": {"message": "down"}}) if broken[0] else (200, good()))
    assert scores(judge(tmp_path, stub, retries=0)(CASES[:2])) == [None, None]
    broken[0] = False
    assert scores(judge(tmp_path, stub, retries=0)(CASES[:2])) == [4, 4]


@pytest.mark.parametrize(
    ("message", "finish", "reason"),
    [
        ({"content": ""}, "stop", "empty"),
        ({"content": None, "refusal": "I cannot."}, "stop", "refused"),
        ({"content": '{"verdict": "4'}, "length", "cut off"),
        ({"content": '{"verdict": "9"}'}, "stop", "'9' is none of 0, 1, 2, 3, 4, 5"),
        ({"content": '{"verdict": 4.5}'}, "stop", "'4.5' is none of"),
        ({"content": '{"opinion": "4"}'}, "stop", "no verdict"),
        ({"content": "I would say 4 or 5."}, "stop", "no verdict"),
    ],
)
def test_a_reply_without_a_clear_verdict_leaves_the_case_unscored(tmp_path, serve, message, finish, reason):
    answer = good(**message)
    answer["choices"][0]["finish_reason"] = finish
    stub = serve(lambda *_: (200, answer))
    (verdict,) = judge(tmp_path, stub)(CASES[:1])
    assert verdict.score is None
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "raw", [b"<html>oops", b"", b'{"choices": []}', b"[]", b'{"choices": [{"message": null}]}', b'{"choices": [1]}']
)
def test_what_is_no_answer_at_all_leaves_the_case_unscored(tmp_path, serve, raw):
    stub = serve(lambda *_: (200, raw))
    (verdict,) = judge(tmp_path, stub, retries=0)(CASES[:1])
    assert verdict.score is None
    assert "server" in verdict.reason


@pytest.mark.parametrize(
    "odd",
    [
        {"content": ["a", "list"]},
        {"content": 4},
        {"content": '{"verdict": ' * 20_000},
        {"content": "[" * 20_000},
        {"content": "4", "refusal": ["no"]},
    ],
)
def test_what_a_message_should_not_hold_leaves_the_case_unscored(tmp_path, serve, odd):
    (verdicts,) = judge(tmp_path, serve(lambda *_: (200, good(**odd))))(CASES[:1])
    assert verdicts.score is None


@pytest.mark.parametrize(
    "usage", [{}, None, {"prompt_tokens": None}, {"prompt_tokens": -4}, {"prompt_tokens": "1"}, []]
)
def test_tokens_that_a_server_does_not_count_have_no_price_and_no_budget(tmp_path, serve, usage):
    stub = serve(lambda *_: (200, good() | {"usage": usage}))
    (verdicts,) = judge(tmp_path, stub, prices=Prices(10.0, 100.0))(CASES[:1])
    assert (verdicts.score, verdicts.usage) == (4, Usage(0, 0, None))
    (again,) = judge(tmp_path, stub, prices=Prices(10.0, 100.0))(CASES[:1])
    assert again == verdicts
    with pytest.raises(UserError, match="counts no tokens: a budget in dollars cannot be kept"):
        judge(tmp_path, stub, prices=Prices(10.0, 100.0), budget=Budget("b", dollars=1.0))(CASES[1:2])


def test_a_server_that_takes_no_question_at_all_is_not_asked_on(tmp_path, serve):
    stub = serve(lambda *_: (400, {"error": {"message": "no max_tokens here"}}))
    with pytest.raises(UserError, match="went unanswered, .*no max_tokens here"):
        judge(tmp_path, stub)([Case("p", f"c {i}", "r") for i in range(100)])
    assert len(stub.bodies) < 40


def test_one_completion_that_is_too_long_is_unscored_and_the_others_go_on(tmp_path, serve):
    stub = serve(
        lambda body, _: (413, {"error": {"message": "too large"}}) if "brush 3." in str(body) else (200, good())
    )
    verdicts = judge(tmp_path, stub)(CASES)
    assert [i for i, verdict in enumerate(verdicts) if verdict.score is None] == [3]


def test_what_a_rubric_does_not_show_makes_no_other_question(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    verdicts = judge(tmp_path, stub)(
        [Case(f"prompt {i}", "c", "r") for i in range(8)]
    )  # of similarity, without prompts
    assert scores(verdicts) == [4] * 8
    assert len(stub.bodies) == 1


def test_a_judge_that_may_not_ask_uses_cached_replies_alone(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    judge(tmp_path, stub)(CASES[:1])
    verdicts = judge(tmp_path, stub, may_ask=False)(CASES[:2])
    assert scores(verdicts) == [4, None]
    assert "not judged again" in verdicts[1].reason
    assert len(stub.bodies) == 1


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8000/v1", "http://[bad/v1", "http://localhost:99999/v1", "", "nonsense"]
)
def test_an_address_that_is_none_is_an_error_before_anything_is_asked(address, monkeypatch):
    with pytest.raises(UserError, match="is no address of a server"):
        read_spec({"judge": "llm:similarity", "model": "m", "base_url": address}, "The judge")
    monkeypatch.setenv("OPENAI_BASE_URL", address or "nonsense")
    with pytest.raises(UserError, match="is no address of a server"):
        judge_of(JudgeSpec(judge="llm:similarity", model="m"))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_question_can_mend_ends_the_judging_in_one_sentence(tmp_path, serve, status):
    stub = serve(lambda *_: (status, {"error": {"message": "The model `m` does not exist"}}))
    with pytest.raises(UserError, match="The judge m cannot be asked: .*does not exist"):
        judge(tmp_path, stub, concurrency=1)(CASES)
    assert len(stub.bodies) < len(CASES)


def test_a_question_that_a_server_refuses_is_unscored_and_the_others_go_on(tmp_path, serve):
    def answer(body, _):
        filtered = "Get brush 3." in body["messages"][1]["content"]
        return (400, {"error": {"message": "content filter"}}) if filtered else (200, good())

    verdicts = judge(tmp_path, serve(answer))(CASES)
    assert [i for i, verdict in enumerate(verdicts) if verdict.score is None] == [3]
    assert "content filter" in verdicts[3].reason


def test_a_case_without_its_reference_is_unscored_and_not_asked(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    verdicts = judge(tmp_path, stub)([CASES[0], Case("p", "c")])
    assert scores(verdicts) == [4, None]
    assert len(stub.bodies) == 1


def test_another_repeat_is_asked_anew_and_so_is_another_server(tmp_path, serve, monkeypatch):
    stub, other = serve(lambda *_: (200, good())), serve(lambda *_: (200, good("1")))
    judge(tmp_path, stub)(CASES[:1])
    judge(tmp_path, stub, turn=1)(CASES[:1])
    assert len(stub.bodies) == 2
    elsewhere = LLMJudge(read_rubric("similarity"), Server("m", replies=ReplyCache(tmp_path / "replies.sqlite")))
    for each, score in ((stub, 4), (other, 1)):
        monkeypatch.setenv("OPENAI_BASE_URL", each.url)
        assert scores(replace(elsewhere, server=replace(elsewhere.server))(CASES[1:2])) == [score]


def test_a_reply_without_a_verdict_is_not_cached(tmp_path, serve):
    said = iter(["Hm.", '{"verdict": "3"}'])
    stub = serve(lambda *_: (200, good(content=next(said))))
    one = judge(tmp_path, stub)
    assert scores(one(CASES[:1]) + one(CASES[:1]) + one(CASES[:1])) == [None, 3, 3]
    assert len(stub.bodies) == 2


def test_a_budget_of_requests_stops_cleanly_and_goes_on(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    poor = judge(tmp_path, stub, budget=Budget("first", requests=5))
    with pytest.raises(UserError, match="budget of 5 requests is spent. Verdicts so far are cached"):
        poor(CASES)
    assert len(stub.bodies) == 5
    richer = judge(tmp_path, stub, budget=Budget("second", requests=7))
    assert scores(richer(CASES)) == [4] * 12
    assert (richer.server.spending.spent.requests, richer.server.spending.spent.cached) == (7, 5)


def test_a_budget_of_money_counts_tokens_and_is_never_exceeded(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    prices = Prices(prompt=10.0, completion=100.0)  # 0.002 each
    one = judge(tmp_path, stub)
    most = prices.most_of(one.server._question(one.rubric.messages(CASES[0]), schema_of(one.rubric)))
    one = judge(tmp_path, stub, prices=prices, budget=Budget("run", dollars=most + 0.005))
    with pytest.raises(UserError, match=r"is spent, but for \$0\.\d+: another question may cost \$0\.0\d+\. Verdicts"):
        one(CASES[:10])
    assert len(stub.bodies) == 3
    assert one.server.spending.spent.dollars == pytest.approx(0.006)
    assert (one.server.spending.spent.prompt_tokens, one.server.spending.spent.completion_tokens) == (300, 30)


def test_judges_of_one_run_share_its_budget(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    one, other = (judge(tmp_path, stub, budget=Budget("run", requests=5)) for _ in range(2))
    assert scores(one(CASES[:3])) == [4] * 3
    with pytest.raises(UserError, match="budget of 5 requests is spent"):
        other(CASES[3:])
    assert len(stub.bodies) == 5


def test_a_verdict_has_its_usage(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    one = judge(tmp_path, stub, prices=Prices(prompt=10.0, completion=100.0))
    verdicts = one([CASES[0], CASES[0]])
    assert [verdict.usage for verdict in verdicts] == [Usage(100, 10, 0.002)] * 2
    assert len(stub.bodies) == 1  # cases that are alike are asked about once
    assert one([CASES[0]])[0].usage == Usage(100, 10, 0.002)  # cached replies have it, too


def test_the_key_is_stored_nowhere(tmp_path, serve, caplog):
    stub = serve(lambda *_: (200, good()))
    with caplog.at_level("DEBUG"):
        one = judge(tmp_path, stub)
        one(CASES[:1])
    assert "sk-secret" not in one.identity + repr(one.server) + caplog.text
    one.server.replies.close()
    assert not any(b"sk-secret" in file.read_bytes() for file in tmp_path.iterdir())


def test_without_a_key_the_error_says_what_to_do(tmp_path, serve, monkeypatch):
    stub = serve(lambda *_: (200, good()))
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="set OPENAI_API_KEY"):
        judge(tmp_path, stub)(CASES[:1])
    with pytest.raises(UserError, match="set OPENAI_API_KEY"):
        judge_of(JudgeSpec(judge="llm:similarity", model="m"))  # before any model is loaded


def test_judges_differ_by_rubric_and_model(tmp_path, serve):
    stub = serve(lambda *_: (200, good()))
    one, other = judge(tmp_path, stub), judge(tmp_path, stub, rubric="coherence")
    assert one.identity.startswith("llm/2 similarity/1 ")
    assert one.identity.endswith(f" m at {stub.url}, structured")
    assert one.identity != other.identity


def test_a_password_in_the_address_of_a_server_is_published_nowhere(tmp_path):
    server = Server("m", "http://someone:secret@127.0.0.1:9/v1?key=secret", replies=ReplyCache(tmp_path / "replies"))
    assert server.identity == "m at http://127.0.0.1:9/v1, structured"


def test_a_key_that_is_none_is_an_error(tmp_path, serve, monkeypatch):
    stub = serve(lambda *_: (200, good()))
    monkeypatch.setenv("OPENAI_API_KEY", "schl\u00fcssel")
    with pytest.raises(UserError, match="a character that no key has"):
        judge(tmp_path, stub)(CASES[:1])
