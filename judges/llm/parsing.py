"""The verdict in an LLM's reply, parsed strictly: an ambiguous reply is no verdict."""

import json
import re
from collections.abc import Mapping

from graftbench.judges.llm.rubric import Rubric
from graftbench.judges.protocol import Verdict

_MARKS = r"[*_`\"'\s]*"
_LABEL = rf"(?:verdict|score|rating){_MARKS}[:=]{_MARKS}([\w.-]+)"
# A line that begins with `>` is a quotation, and somebody else's verdict.
_LINE = re.compile(rf"^[\s#-]*{_MARKS}{_LABEL}{_MARKS}\.?\s*$", re.IGNORECASE)
_FENCED = re.compile(r"^```\w*\n(.*)\n```$", re.DOTALL)
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
        return Verdict(None, reply, f"the verdict {word!r} is none of {', '.join(rubric.labels)}", rubric.scale)
    return Verdict(score, reply, "", rubric.scale)


def _word_in(reply: str) -> str | None:
    text = reply.strip()
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
