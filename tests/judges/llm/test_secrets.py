"""The key is in no message, no log and no file, even where a server repeats it."""

import traceback
from dataclasses import replace

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.judge import LLMJudge
from graftbench.judges.llm.reply_cache import ReplyCache
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.protocol import Case
from tests.judges.llm.stub import good

KEY = "sk-secret"  # of the fixture `serve`
SAID = {"message": f"Incorrect API key provided: {KEY}."}
CASES = [Case("p", f"c {i}", "r") for i in range(20)]


def judge(tmp_path, stub):
    return LLMJudge(read_rubric("similarity"), Server("m", stub.url, replies=ReplyCache(tmp_path / "replies")))


def test_the_server_is_sent_the_key(tmp_path, serve):
    stub, headers = serve(lambda *_: (200, good())), []
    handle = stub.handle
    stub.handle = lambda handler, body: (headers.append(handler.headers["Authorization"]), handle(handler, body))
    judge(tmp_path, stub)(CASES[:1])
    assert headers == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, SAID),
        (404, SAID),
        (402, SAID),
        (429, SAID | {"code": "insufficient_quota"}),
        (400, SAID),
        (413, SAID),
    ],
)
def test_an_error_that_repeats_the_key_is_told_without_it(tmp_path, serve, caplog, capsys, status, said):
    stub = serve(lambda *_: (status, {"error": said}))
    with caplog.at_level("DEBUG"), pytest.raises(UserError, match="Incorrect API key provided: ") as raised:
        judge(tmp_path, stub)(CASES)
    told = "".join(traceback.format_exception(raised.value))  # as the log has it
    assert KEY not in told + caplog.text + "".join(capsys.readouterr())
    assert_in_no_file(tmp_path)


@pytest.mark.parametrize("content", ['{"verdict": "4"}', f"Your key is {KEY}.\nVerdict: 4", KEY])
def test_a_reply_that_repeats_the_key_is_kept_without_it(tmp_path, serve, content):
    stub = serve(lambda *_: (200, good(content=content) | {"model": f"m@{KEY}"}))
    (verdict,) = judge(tmp_path, stub)(CASES[:1])
    assert KEY not in repr(verdict)
    assert_in_no_file(tmp_path)


def test_a_password_in_the_address_is_shown_nowhere_either(tmp_path, serve):
    stub = serve(lambda *_: (404, {"error": {"message": "no such page: /v1/chat?token=dont-tell"}}))
    one = judge(tmp_path, stub)
    secret = replace(one.server, base_url=stub.url.replace("http://", "http://me:dont-tell@"))
    with pytest.raises(UserError) as raised:
        replace(one, server=secret)(CASES[:1])
    assert "dont-tell" not in str(raised.value) + secret.identity


def assert_in_no_file(folder):
    files = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    assert files
    assert not any(KEY.encode() in raw for raw in files)
