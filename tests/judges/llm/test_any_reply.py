"""Whatever a server answers is a verdict of the rubric's, or leaves the case unscored with a reason."""

import json
from types import TracebackType

import pytest
from hypothesis import strategies as st
from openai._models import construct_type
from openai.types.chat import ChatCompletion

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.judge import LLMJudge, parse_verdict
from graftbench.judges.llm.reply_cache import ReplyCache
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.protocol import Case
from tests.fuzzing import A_HUNDRED_OR_MANY, HARD_TEXTS, LONG, VALUES, changes_of, for_any, lacking, one_sentence
from tests.judges.llm.stub import good

RUBRIC = read_rubric("similarity")
LABELS = sorted(RUBRIC.labels)
PIECES = [
    "Verdict:",
    "verdict",
    *LABELS,
    "<think>",
    "</think>",
    "```json",
    "```",
    "\n",
    "> ",
    "**",
    "{",
    "}",
    '"',
    ": ",
    "\x1b[2J",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=8).map("".join) | st.sampled_from(HARD_TEXTS)
BODY = good(LABELS[0])
COUNTS = st.sampled_from([-1, 2**63, LONG, True, "7", 1.5, None]).map(
    lambda n: BODY | {"usage": {"prompt_tokens": n, "completion_tokens": n, "total_tokens": n}}
)


class Answering:
    """A client whose server answers with one body, as openai's client hands it on."""

    body: object = None

    def __init__(self, base_url: str | None) -> None:
        pass

    def __enter__(self) -> "Answering":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        pass

    def complete(self, question, seconds):
        if isinstance(self.body, str):
            return json.loads(self.body) if self.body.startswith("raise") else self.body
        return construct_type(type_=ChatCompletion, value=self.body)


@pytest.fixture
def judge(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setattr("graftbench.judges.llm.server.Client", Answering)
    return LLMJudge(RUBRIC, Server("m", "http://127.0.0.1:9/v1", replies=ReplyCache(tmp_path / "replies"), retries=0))


def assert_fits(verdict):
    if verdict.score is None:
        assert verdict.reason
        one_sentence(ValueError(verdict.reason))
    else:
        assert verdict.score in RUBRIC.labels.values()
        assert verdict.reason == ""


def test_the_body_that_is_changed_is_a_verdict(judge, monkeypatch):
    monkeypatch.setattr(Answering, "body", BODY)
    (verdict,) = judge([Case("p", "c", "r")])
    assert verdict.score == RUBRIC.labels[LABELS[0]]


@A_HUNDRED_OR_MANY
def test_any_text_is_a_verdict_or_unscored(n):
    @for_any(n, text=TEXTS | VALUES.map(lambda value: json.dumps({"verdict": value})))
    def check(text):
        verdict = parse_verdict(text, RUBRIC)
        assert_fits(verdict)
        last = text.strip().splitlines()[-1:] or [""]
        assert verdict.score is None or any(label.lower() in last[0].lower() + text.lower() for label in LABELS)


@A_HUNDRED_OR_MANY
def test_any_answer_of_a_server_is_a_verdict_or_unscored(n, judge, monkeypatch):
    texts = TEXTS.map(lambda text: good(content=text))
    answers = changes_of(BODY) | lacking(BODY) | texts | COUNTS | VALUES.filter(lambda value: value is not None)
    number = iter(range(10**6))

    @for_any(n, body=answers)
    def check(body):
        monkeypatch.setattr(Answering, "body", body)
        try:
            (verdict,) = judge([Case("p", f"Completion {next(number)}.", "r")])
        except UserError as error:
            one_sentence(error)
            return
        assert_fits(verdict)
        json.dumps(verdict.evidence, ensure_ascii=False).encode("utf-8", "surrogatepass")
