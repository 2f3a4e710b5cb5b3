"""LLM judges against a server that fails in every way: no verdict is lost, doubled or changed."""

import json
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.dialect import Dialect
from graftbench.judges.llm.judge import LLMJudge, schema_of
from graftbench.judges.llm.reply_cache import Reply, ReplyCache
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.llm.spending import Prices
from graftbench.judges.protocol import Case
from graftbench.judges.registry import ServerPolicy, judge_of
from graftbench.judges.spec import read_spec
from tests.judges.llm.faulty import COMPLETION_TOKENS, HARMLESS, LASTING, PASSING, PROMPT_TOKENS, FaultyServer, seeded

AT_ONCE = 200
PRICES = Prices(prompt=10.0, completion=100.0)


@pytest.fixture
def faulty(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setattr("graftbench.judges.llm.retries._FIRST", 0.01)
    running = []

    def start(script, at_once=1):
        running.append(FaultyServer(script, at_once))
        return running[-1]

    yield start
    for server in running:
        server.close()


def judge(path, server, **settings):
    settings = {"concurrency": AT_ONCE, "deadline": 120.0} | settings
    return LLMJudge(read_rubric("similarity"), Server("m", server.url, replies=ReplyCache(path), **settings))


def cases(numbers, prompt="p"):
    return [Case(prompt, f"This is case {number}.", "r") for number in numbers]


def scores(verdicts):
    return [verdict.score for verdict in verdicts]


def expected(server, number):
    return float(server.label(number))


@contextmanager
def within(seconds):
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def test_thousands_of_verdicts_under_faults_are_those_without_or_say_which_fault(tmp_path, faulty):
    server = faulty(seeded(1, 0.3, [*LASTING, *PASSING, *HARMLESS]), AT_ONCE)
    replies, numbers = tmp_path / "replies.sqlite", range(1000)
    Dialect(ReplyCache(replies), server.url, "m").is_model("m")  # the server has answered before
    one = judge(replies, server)
    verdicts, alike = halves(one(cases(numbers) + cases(numbers, "another")))  # the rubric shows no prompt
    assert server.most_in_flight == AT_ONCE

    assert verdicts == alike
    for number, verdict in zip(numbers, verdicts, strict=True):
        if server.last[number] in LASTING:
            assert (verdict.score, verdict.reason) == (None, LASTING[server.last[number]])
        else:
            assert (verdict.score, verdict.reason) == (expected(server, number), "")
    assert set(server.last.values()) == {None, *LASTING, *HARMLESS}  # nothing that passes was the end of a question
    assert server.asked_again == 0
    assert max(server.attempts.values()) > 3

    spent = one.server.spending.spent
    assert (spent.prompt_tokens, spent.completion_tokens) == (server.told["prompt"], server.told["completion"])
    assert_whole(replies, [server.label(number) for number in server.answered])

    server.script = lambda *_: None
    assert scores(judge(replies, server)(cases(numbers))) == [expected(server, number) for number in numbers]
    assert server.asked_again == 0


def halves(verdicts):
    return verdicts[: len(verdicts) // 2], verdicts[len(verdicts) // 2 :]


def assert_whole(path, labels):
    """The cache holds each reply once, and as the server sent it."""
    with sqlite3.connect(path) as file:
        stored = [Reply(**json.loads(reply)) for (reply,) in file.execute("SELECT reply FROM replies")]
    assert sorted(json.loads(reply.text)["verdict"] for reply in stored) == sorted(labels)
    assert {(reply.finish, reply.prompt_tokens, reply.completion_tokens) for reply in stored} == {
        ("stop", PROMPT_TOKENS, COMPLETION_TOKENS)
    }


def test_the_same_faults_give_the_same_verdicts(tmp_path, faulty):
    script = seeded(2, 0.5, ["truncated", "no_choices", "reset", "429", "502", "slow"])
    both = [judge(tmp_path / str(i), faulty(script))(cases(range(60))) for i in range(2)]
    assert both[0] == both[1]


def test_a_server_that_hangs_or_drips_is_given_up_in_time_and_the_others_are_answered(tmp_path, faulty):
    endless = {number: ("hang", "drip")[number % 2] for number in range(0, AT_ONCE, 7)}
    server = faulty(lambda number, _: endless.get(number))
    one = judge(tmp_path / "replies", server, deadline=3.0, retries=0)
    with within(6):
        verdicts = one(cases(range(AT_ONCE)))
    for number, verdict in enumerate(verdicts):
        if number in endless:
            assert verdict.reason == f"no answer from {server.url}: nothing whole within 1.5 s"
        else:
            assert verdict.score == expected(server, number)


def test_the_deadline_is_that_of_all_tries_together(tmp_path, faulty):
    server = faulty(lambda *_: "hang")
    with within(3):
        (verdict,) = judge(tmp_path / "replies", server, deadline=1.0)(cases([0]))
    assert "nothing whole within" in verdict.reason
    assert server.attempts[0] == 2


def test_a_pause_that_a_server_asks_for_beyond_the_deadline_is_not_waited_for(tmp_path, serve):
    stub = serve(lambda *_: (429, {"error": {"message": "busy"}}, ("Retry-After", "3600")))
    with within(3):
        (verdict,) = judge(tmp_path / "replies", stub, deadline=30.0)(cases([0]))
    assert verdict.reason == f"no answer from {stub.url}: RateLimitError, status 429"
    assert len(stub.bodies) == 1


def test_a_server_that_says_that_another_try_is_in_vain_is_asked_once(tmp_path, serve):
    stub = serve(lambda *_: (500, {"error": {"message": "never"}}, ("x-should-retry", "false")))
    (verdict,) = judge(tmp_path / "replies", stub)(cases([0]))
    assert verdict.reason == f"no answer from {stub.url}: InternalServerError, status 500"
    assert len(stub.bodies) == 1


def test_a_server_that_refuses_connections_is_named_and_costs_nothing(tmp_path, faulty):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    replies, budget = ReplyCache(tmp_path / "replies"), Budget("run", dollars=1.0)
    server = Server("m", f"http://127.0.0.1:{port}/v1", retries=2, replies=replies, prices=PRICES, budget=budget)
    verdicts = LLMJudge(read_rubric("similarity"), server)(cases(range(3)))
    assert {v.reason for v in verdicts} == {f"no answer from {server.base_url}: APIConnectionError, ConnectError"}
    assert replies.read("SELECT COUNT(*) FROM reserved") == (0,)


def most(server):
    """What one question may cost at most, in dollars."""
    rubric = read_rubric("similarity")
    return PRICES.most_of(server._question(rubric.messages(cases([10])[0]), schema_of(rubric)))


def test_what_a_server_charged_is_never_more_than_the_limit(tmp_path_factory, faulty):
    server = faulty(lambda *_: None)
    faults = st.sampled_from([None, *LASTING, *HARMLESS, "reset", "cut", "500", "502", "503"])
    scripts = st.lists(st.lists(faults, max_size=3), min_size=8, max_size=24)

    @given(scripts, st.floats(1.0, 12.0), st.integers(1, 16))
    @settings(
        max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def never_more(scripts, questions, at_once):
        first, path = len(server.charged_tokens), tmp_path_factory.mktemp("run") / "replies"
        server.attempts.clear()
        server.script = lambda n, k: scripts[n][k] if n < len(scripts) and k < len(scripts[n]) else None
        both = [judge(path, server, prices=PRICES, concurrency=at_once) for _ in "ab"]
        limit = questions * most(both[0].server)
        # Two caches on one file, as two processes have them.
        both = [replace(one, server=replace(one.server, budget=Budget("run", dollars=limit))) for one in both]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ask_until_spent, both, (range(i, len(scripts), 2) for i in range(2))))
        charged = sum(PRICES.of(*tokens) for tokens in server.charged_tokens[first:])
        assert both[0].server.spending.spent.dollars - 1e-9 <= charged <= limit
        assert server.attempts  # something was asked

    never_more()


def ask_until_spent(one, numbers):
    with suppress(UserError):
        one(cases(numbers))


def test_money_that_is_set_aside_for_a_question_in_flight_is_waited_for(tmp_path, faulty):
    server = faulty(lambda *_: "slow")
    one = judge(tmp_path / "replies", server, prices=PRICES)
    poor = replace(one, server=replace(one.server, budget=Budget("run", dollars=1.5 * most(one.server))))
    assert scores(poor(cases(range(4)))) == [expected(server, number) for number in range(4)]
    assert server.most_in_flight == 1


@pytest.mark.parametrize(("fault", "kept"), [("500", True), ("cut", True), ("no_json", True), ("429", False)])
def test_money_for_an_answer_that_did_not_come_stays_set_aside(tmp_path, faulty, fault, kept):
    server = faulty(lambda number, _: None if number else fault)
    one = judge(tmp_path / "replies", server, prices=PRICES, retries=0, deadline=2.0)
    poor = replace(one, server=replace(one.server, budget=Budget("run", dollars=1.5 * most(one.server))))
    assert scores(poor(cases([0]))) == [None]
    if kept:
        with pytest.raises(UserError, match=r"is spent, but for \$.*: another question may cost \$"):
            poor(cases([1]))
    else:
        assert scores(poor(cases([1]))) == [expected(server, 1)]


def test_a_budget_in_dollars_needs_a_limit_on_what_is_written(serve):
    spec = read_spec({"judge": "llm:similarity", "model": "m", "prices": {}, "max_tokens": None}, "The judge")
    with pytest.raises(UserError, match="needs a limit on what m writes: name `max_tokens`"):
        judge_of(spec, ServerPolicy(Budget("run", dollars=1.0)))
