"""`llm:RUBRIC`: a model behind an OpenAI-compatible server that judges by a rubric."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graftbench.judges.llm.reply_cache import Reply
from graftbench.judges.llm.rubric import Rubric, RubricScale
from graftbench.judges.llm.server import Server
from graftbench.judges.protocol import Case, Usage, Verdict

_MARKS = r"[*_`\"'\s]*"
_LABEL = rf"(?:verdict|score|rating){_MARKS}[:=]{_MARKS}([\w.-]+)"
# A line that begins with `>` is a quotation, and somebody else's verdict.
_LINE = re.compile(rf"^[\s#-]*{_MARKS}{_LABEL}{_MARKS}\.?\s*$", re.IGNORECASE)
_FENCED = re.compile(r"^```\w*\n(.*)\n```$", re.DOTALL)
_THOUGHT, _SAID = "<think>", "</think>"
_ENDED = re.compile(rf"{_SAID}[ \t]*$", re.MULTILINE)
_QUOTED = 80  # characters of a reply that is no verdict


def schema_of(rubric: Rubric) -> Mapping[str, object]:
    """Return the JSON schema of a structured reply: an object whose `verdict` is one of the labels."""
    return {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": list(rubric.labels)}},
        "required": ["verdict"],
        "additionalProperties": False,
    }


def parse_verdict(reply: str, rubric: Rubric) -> Verdict:
    """Parse a reply: a label, a JSON object, or text that ends with a line such as `Verdict: LABEL`.

    Anything else leaves the case unscored, such as a label that the rubric does not have. So does text after the
    labelled line: the line may then be a quotation of the judged text.
    """
    word = _word_in(reply)
    if word is None:
        return Verdict(None, reply, f"no verdict in the reply {_shortened(reply)}", rubric.scale)
    scores = {label.lower(): score for label, score in rubric.labels.items()}
    score = scores.get(word.lower())
    if score is None:
        why = f"the verdict {_shortened(word)} is none of {', '.join(rubric.labels)}"
        return Verdict(None, reply, why, rubric.scale)
    return Verdict(score, reply, "", rubric.scale)


def without_reasoning(reply: str) -> str:
    """Return a reply without what a reasoning model thought before it: nothing where the thought has no end.

    Chat templates may write the first mark themselves. Marks further on are quotations of the judged text.
    """
    text = reply.strip()
    if text.startswith(_THOUGHT):
        return text.partition(_SAID)[2].strip()
    ended = None if _THOUGHT in text else _ENDED.search(text)
    return text[ended.end() :].strip() if ended else text


def _word_in(reply: str) -> str | None:
    text = without_reasoning(reply)
    if fenced := _FENCED.match(text):
        text = fenced[1].strip()
    if text.startswith("{"):
        return _word_in_json(text)
    if text and len(text.split()) == 1:
        return text.strip("*_`\"'").rstrip(".")
    labelled = _LINE.match(text.splitlines()[-1]) if text else None
    return labelled[1].rstrip(".") if labelled else None


def _word_in_json(text: str) -> str | None:
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        return None
    verdict = reply.get("verdict")
    return None if verdict is None or isinstance(verdict, (dict, list, bool)) else str(verdict)


def _shortened(reply: str) -> str:
    return repr(reply if len(reply) <= _QUOTED else f"{reply[: _QUOTED - 3]}...")


@dataclass(frozen=True, eq=False)
class LLMJudge(RubricScale):
    """Judge that asks the model behind a server for one of the labels of its rubric."""

    rubric: Rubric
    server: Server

    @property
    def identity(self) -> str:
        """Kind, version, rubric, model, server, and the form of replies."""
        return f"llm/2 {self.rubric.identity} {self.server.identity}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case; without a parsable reply it is unscored, and the reply is not cached.

        Identical questions are asked once.
        """
        messages = {case: self.rubric.messages(case) for case in dict.fromkeys(cases) if self.rubric.can_judge(case)}
        # Two cases may make one question: not every rubric shows the prompt.
        questions = {case: conversation[-1]["content"] for case, conversation in messages.items()}
        conversations = {questions[case]: conversation for case, conversation in messages.items()}
        replies = self.server.ask(list(conversations.values()), schema_of(self.rubric), self._is_verdict)
        verdicts = dict(zip(conversations, map(self._verdict, replies), strict=True))
        return [verdicts[questions[case]] if case in questions else self.rubric.unscored for case in cases]

    def _is_verdict(self, reply: Reply) -> bool:
        return self._verdict(reply).score is not None

    def _verdict(self, reply: Reply | str) -> Verdict:
        if isinstance(reply, str):
            return Verdict(None, "", reply, self.rubric.scale)
        usage = Usage(reply.prompt_tokens or 0, reply.completion_tokens or 0, self._price(reply))
        return replace(self._parse(reply), usage=usage)

    def _price(self, reply: Reply) -> float | None:
        return (
            None if self.server.prices is None else self.server.prices.of(reply.prompt_tokens, reply.completion_tokens)
        )

    def _parse(self, reply: Reply) -> Verdict:
        scale = self.rubric.scale
        if reply.refusal:
            return Verdict(None, reply.refusal, "the judge refused", scale)
        if reply.finish == "length":
            return Verdict(None, reply.text, "the judge's reply was cut off", scale)
        if not reply.text.strip():
            return Verdict(None, "", "the judge's reply was empty", scale)
        if not without_reasoning(reply.text):
            return Verdict(None, reply.text, "the judge's reply was nothing but its reasoning", scale)
        return parse_verdict(reply.text, self.rubric)
