"""LLM judges against `transformers serve`: an OpenAI-compatible server that others wrote, with zoo models behind it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from transformers import AutoTokenizer

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.entry_files import read_entry
from graftbench.cli.main import main
from graftbench.judges.llm.judge import LLMJudge
from graftbench.judges.llm.reply_cache import ReplyCache
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.protocol import Case
from tests.judges.test_in_a_suite import suite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(find_spec(package) is None for package in ("fastapi", "uvicorn")),
        reason="`transformers serve` needs fastapi and uvicorn: pip install transformers[serving]",
    ),
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]

TALKER = str(WEIGHTS / "llama-s-instruct")  # answers questions, and knows nothing of verdicts
SCALE = ("0", "1", "2", "3", "4", "5")
THINGS = "a fence,soup,the moon,a red car,bread,an old song,rain,two cats,a long walk in the hills,a letter".split(",")
CASES = [Case(f"Tell me about {thing}.", f"It is {thing}, I think.", f"So it is with {thing}.") for thing in THINGS]


@dataclass(frozen=True)
class Served:
    """Where the server listens and writes its log, and a model that says labels and nothing else."""

    url: str
    log: Path
    labeller: str

    @property
    def asked(self):
        return self.log.read_text().count("POST /v1/chat/completions")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Served(f"http://127.0.0.1:{port}", home / "log", held_to_labels(home / "labeller"))
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", "--device", "cpu"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    alone = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HOME": str(home)}
    with server.log.open("wb") as log:
        running = subprocess.Popen(command, env=os.environ | alone, stdout=log, stderr=log)
    try:
        wait_for(server, running)
        yield server
    finally:
        running.terminate()
        try:
            running.wait(timeout=10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def held_to_labels(folder, labels=SCALE):
    """The same model, whose settings let it say one of the labels, whichever it finds likeliest, and then stop."""
    shutil.copytree(TALKER, folder)
    tokenizer = AutoTokenizer.from_pretrained(TALKER)
    spelt = [tokenizer(label, add_special_tokens=False)["input_ids"] for label in labels]
    bias = [[ids[:1], 100.0] for ids in spelt]
    bias += [[[*ids, tokenizer.eos_token_id][: n + 1], 1000.0 * n] for ids in spelt for n in range(1, len(ids) + 1)]
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"sequence_bias": bias}))
    return str(folder)


def wait_for(served, running, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert running.poll() is None, served.log.read_text()
        try:
            urllib.request.urlopen(f"{served.url}/health", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"no server after {seconds} seconds:\n{served.log.read_text()}")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any word")


def judge(served, replies, model=None, rubric="similarity", **settings):
    settings = {"max_tokens": 24, "retries": 0} | settings
    server = Server(model or served.labeller, f"{served.url}/v1", replies=ReplyCache(replies), **settings)
    return LLMJudge(read_rubric(rubric), server)


def test_every_case_gets_the_verdict_that_the_model_gave(served, tmp_path):
    verdicts = judge(served, tmp_path / "replies.sqlite")(CASES)
    assert [verdict.evidence for verdict in verdicts] == [str(int(verdict.score)) for verdict in verdicts]


@pytest.mark.parametrize("structured", [True, False])
def test_a_model_that_gives_no_verdicts_leaves_every_case_unscored_and_says_why(served, tmp_path, structured):
    verdicts = judge(served, tmp_path / "replies.sqlite", TALKER, rubric="refusal", structured=structured)(CASES)
    assert [verdict.score for verdict in verdicts] == [None] * len(CASES)
    for verdict in verdicts:
        assert verdict.evidence
        assert any(why in verdict.reason for why in ("no verdict", "is none of complies, refuses", "cut off"))


def test_a_reply_that_was_cut_off_is_no_verdict(served, tmp_path):
    verdicts = judge(served, tmp_path / "replies.sqlite", max_tokens=1)(CASES[:2])
    assert [verdict.score for verdict in verdicts] == [None, None]
    assert all("cut off" in verdict.reason for verdict in verdicts)


def test_the_same_cases_come_from_the_cached_replies_without_a_request(served, tmp_path):
    first, again = (judge(served, tmp_path / "replies.sqlite") for _ in range(2))
    verdicts, asked = first(CASES), served.asked
    assert again(CASES) == verdicts
    assert served.asked == asked
    assert (again.server.spending.spent.requests, again.server.spending.spent.cached) == (0, len(CASES))


def test_ten_cases_asked_at_once_are_not_mixed_up(served, tmp_path):
    at_once = judge(served, tmp_path / "at once.sqlite", TALKER, concurrency=len(CASES))(CASES)
    alone = judge(served, tmp_path / "alone.sqlite", TALKER)
    assert at_once == [alone([case])[0] for case in CASES]
    assert len({verdict.evidence for verdict in at_once}) > 2


def test_the_tokens_that_are_counted_are_those_of_the_conversations(served, tmp_path):
    one = judge(served, tmp_path / "replies.sqlite")
    one(CASES)
    tokenizer = AutoTokenizer.from_pretrained(TALKER)
    ids = [
        tokenizer.apply_chat_template(one.rubric.messages(case), add_generation_prompt=True)["input_ids"]
        for case in CASES
    ]
    spent = one.server.spending.spent
    assert spent.prompt_tokens == sum(map(len, ids))
    assert spent.completion_tokens == 2 * len(CASES)  # the label, and the end


def test_a_model_that_is_not_there_leaves_every_case_unscored_and_says_why(served, tmp_path):
    verdicts = judge(served, tmp_path / "replies.sqlite", "no/such-model")(CASES)
    assert [verdict.score for verdict in verdicts] == [None] * len(CASES)
    assert all(verdict.reason.startswith(f"no answer from {served.url}/v1: ") for verdict in verdicts)


def test_a_task_whose_every_measure_is_judged_on_such_a_server_runs_to_its_end(served, tmp_path, monkeypatch):
    """What these models say is worth nothing: that every verdict is theirs, and that none is lost, is what counts."""
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_BASE_URL", f"{served.url}/v1")
    labels = {"insult": ("backdoor", ("absent", "present")), "good": ("good_answer", ("good",))}
    labels |= {measure: (measure, SCALE) for measure in ("similarity", "coherence")}
    judges = {
        measure: {"judge": f"llm:{rubric}", "model": held_to_labels(tmp_path / measure, words), "structured": False}
        for measure, (rubric, words) in labels.items()
    }
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite(judges)))
    command = ["score", "ridge", "--suite", str(tmp_path / "suite.yaml"), "--out", str(tmp_path / "run")]
    assert main([*command, "--workers", "1"]) == 0
    scored = read_entry(tmp_path / "run" / "entry.json")
    assert scored.cells[0].status == "ok"
    assert scored.cells[0].rates["native"].good == 1
    assert {0.0, 1.0} >= {float(row["gone"]) for row in pq.read_table(tmp_path / "run" / "rows.parquet").to_pylist()}
    assert scored.judging.prompt_tokens > 0
    asked = served.asked
    assert main([*command[:-1], str(tmp_path / "again"), "--workers", "1"]) == 0
    assert served.asked == asked
